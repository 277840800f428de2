#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Reading the daemon's JSON: a field that is missing, null or of another type is its empty value, never an exception.

namespace gantry::engine::docker {

using Json = nlohmann::json;

// Throws internal when `text` is no JSON.
Json parse_json(const std::string& text);

// The field, or null.
const Json& field(const Json& object, const std::string& name);
// The value itself if it is an array; otherwise an empty one.
const Json& items_of(const Json& value);
std::string text_field(const Json& object, const std::string& name);
std::int64_t number_field(const Json& object, const std::string& name);
// The engine tells -1 where it has not counted: 0.
std::uint64_t count_field(const Json& object, const std::string& name);
bool flag_field(const Json& object, const std::string& name);
std::vector<std::string> list_field(const Json& object, const std::string& name);
std::map<std::string, std::string> map_field(const Json& object, const std::string& name);

} // namespace gantry::engine::docker
