#include "cache/entry.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <nlohmann/json.hpp>

namespace gantry::cache {

namespace {

using Json = nlohmann::json;

constexpr int k_format = 1;
constexpr std::size_t k_most_layers = 1024;

Json to_json(const Layer& layer)
{
    return {{"volume", layer.volume}, {"size_bytes", layer.size_bytes}, {"entries", layer.entries}, {"digest", layer.digest}};
}

Layer layer_from(const Json& json)
{
    Layer layer;
    layer.volume = json.at("volume").get<std::string>();
    layer.size_bytes = json.at("size_bytes").get<std::uint64_t>();
    layer.entries = json.at("entries").get<std::uint64_t>();
    layer.digest = json.at("digest").get<std::string>();
    return layer;
}

Entry entry_from(const Json& json)
{
    Entry entry;
    entry.place.engine = json.at("engine").get<std::string>();
    entry.place.scope = json.at("scope").get<std::string>();
    entry.place.name = json.at("name").get<std::string>();
    entry.key = json.at("key").get<std::string>();
    entry.run = json.at("run").get<std::string>();
    entry.stage = json.at("stage").get<std::string>();
    const auto saved = parse_time(json.at("saved").get<std::string>());
    const auto& layers = json.at("layers");
    if (!saved || !layers.is_array() || layers.empty() || layers.size() > k_most_layers)
        throw Error(Errc::bad_input, "its fields are wrong");
    entry.saved = *saved;
    for (const auto& layer : layers)
        entry.layers.push_back(layer_from(layer));
    return entry;
}

} // namespace

std::string scope_of(const Whose& whose)
{
    return whose.repository + (whose.branch.empty() ? "" : '\n' + whose.branch);
}

Whose whose(const Place& place)
{
    const auto end = place.scope.find('\n');
    return {place.scope.substr(0, end), end == std::string::npos ? std::string() : place.scope.substr(end + 1)};
}

std::uint64_t size_bytes_of(const Entry& entry)
{
    std::uint64_t sum = 0;
    for (const auto& layer : entry.layers)
        sum += layer.size_bytes;
    return sum;
}

std::set<std::string> volumes_in(const Entry& entry)
{
    std::set<std::string> names;
    for (const auto& layer : entry.layers)
        names.insert(layer.volume);
    return names;
}

std::string print_entry(const Entry& entry)
{
    Json json{{"format", k_format},        {"engine", entry.place.engine}, {"scope", entry.place.scope},
              {"name", entry.place.name},  {"key", entry.key},             {"saved", format_time(entry.saved)},
              {"run", entry.run},          {"stage", entry.stage},         {"layers", Json::array()}};
    for (const auto& layer : entry.layers)
        json["layers"].push_back(to_json(layer));
    try {
        json["sha256"] = sha256_hex(json.dump());
        return json.dump(1) + "\n";
    } catch (const Json::exception&) {
        throw Error(Errc::bad_input, "the key of a cache is not UTF-8");
    }
}

Entry parse_entry(std::string_view text)
{
    try {
        auto json = Json::parse(text);
        if (json.value("format", 0) != k_format)
            throw Error(Errc::bad_input, "it has another format");
        const auto digest = json.at("sha256").get<std::string>();
        json.erase("sha256");
        if (sha256_hex(json.dump()) != digest)
            throw Error(Errc::bad_input, "its SHA-256 is not what it says");
        return entry_from(json);
    } catch (const Json::exception&) {
        throw Error(Errc::bad_input, "it is not complete");
    }
}

} // namespace gantry::cache
