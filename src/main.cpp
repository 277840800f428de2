#include "app/main.hpp"

int main(int argc, char** argv)
{
    return gantry::app::run_main(argc, argv);
}
