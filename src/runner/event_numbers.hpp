#pragma once

#include "runner/report.hpp"

#include <charconv>

namespace gantry::runner {

// A number among the outputs of an event; 0 where it is missing or none.
template <typename Number> Number number_in(const RunEvent& event, const char* name)
{
    Number number = 0;
    if (const auto found = event.outputs.find(name); found != event.outputs.end())
        std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
    return number;
}

} // namespace gantry::runner
