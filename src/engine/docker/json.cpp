#include "engine/docker/json.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace gantry::engine::docker {

Json parse_json(const std::string& text)
{
    auto value = Json::parse(text, nullptr, false);
    if (value.is_discarded())
        throw Error(Errc::internal, "the engine's answer is not JSON");
    return value;
}

const Json& field(const Json& object, const std::string& name)
{
    static const Json k_null;
    if (!object.is_object())
        return k_null;
    const auto found = object.find(name);
    return found == object.end() ? k_null : *found;
}

const Json& items_of(const Json& value)
{
    static const Json k_empty = Json::array();
    return value.is_array() ? value : k_empty;
}

std::string text_field(const Json& object, const std::string& name)
{
    const auto& value = field(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t number_field(const Json& object, const std::string& name)
{
    const auto& value = field(object, name);
    return value.is_number() ? value.get<std::int64_t>() : 0;
}

std::uint64_t count_field(const Json& object, const std::string& name)
{
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_field(object, name)));
}

bool flag_field(const Json& object, const std::string& name)
{
    const auto& value = field(object, name);
    return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> list_field(const Json& object, const std::string& name)
{
    std::vector<std::string> list;
    const auto& value = field(object, name);
    if (value.is_string())
        list.push_back(value.get<std::string>());
    if (value.is_array())
        for (const auto& item : value)
            if (item.is_string())
                list.push_back(item.get<std::string>());
    return list;
}

std::map<std::string, std::string> map_field(const Json& object, const std::string& name)
{
    std::map<std::string, std::string> map;
    const auto& value = field(object, name);
    if (value.is_object())
        for (const auto& item : value.items())
            if (item.value().is_string())
                map.emplace(item.key(), item.value().get<std::string>());
    return map;
}

} // namespace gantry::engine::docker
