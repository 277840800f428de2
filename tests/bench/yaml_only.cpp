// What P9 is measured against: yaml-cpp reads a file into its nodes, and nothing else happens.
#include <yaml-cpp/yaml.h>

#include <exception>
#include <iostream>

int main(int count, char** arguments)
{
    if (count != 2)
        return 2;
    try {
        return YAML::LoadFile(arguments[1]).size() == 0 ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
