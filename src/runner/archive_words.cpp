#include "runner/archive_words.hpp"

namespace gantry::runner {

std::string pax_record(const std::string& key, const std::string& value)
{
    const auto rest = " " + key + "=" + value + "\n";
    auto length = rest.size() + 1;
    while (length != rest.size() + std::to_string(length).size())
        ++length;
    return std::to_string(length) + rest;
}

} // namespace gantry::runner
