#pragma once

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// How fields of the journal and of a summary are written: what is empty is left out.

namespace gantry::runner {

// JSON has no room for bytes that are not UTF-8: they are shown escaped.
inline std::string as_json_text(const std::string& text)
{
    return is_utf8(text) ? text : terminal_safe(text, Colours::keep);
}

inline void put(nlohmann::json& json, const char* key, const std::string& text)
{
    if (!text.empty())
        json[key] = as_json_text(text);
}

inline void put(nlohmann::json& json, const char* key, const std::optional<int>& number)
{
    if (number)
        json[key] = *number;
}

inline void put(nlohmann::json& json, const char* key, std::uint64_t number)
{
    if (number != 0)
        json[key] = number;
}

inline void put(nlohmann::json& json, const char* key, std::chrono::nanoseconds duration)
{
    if (duration.count() != 0)
        json[key] = duration.count();
}

} // namespace gantry::runner
