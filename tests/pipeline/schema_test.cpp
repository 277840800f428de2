#include "pipeline/frontend/include.hpp"
#include "pipeline/frontend/reader.hpp"
#include "pipeline/native_support.hpp"
#include "pipeline/random_definition.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <random>
#include <set>

using namespace gantry::pipeline;
using Json = nlohmann::ordered_json;

namespace {

const Json& schema()
{
    static const Json parsed = Json::parse(native_schema());
    return parsed;
}

// Makes random instances of the schema. Notes which keys of which objects they have, and likes those that it has not had.
class Sampler {
public:
    Sampler(std::uint32_t seed, std::set<std::string>& covered) : random_(seed), covered_(covered) {}

    Json sample(const Json& of, int depth = 0)
    {
        if (of.contains("$ref")) {
            const auto name = of["$ref"].get<std::string>().substr(std::string_view("#/$defs/").size());
            return object(name, schema()["$defs"][name], depth + 1);
        }
        if (of.contains("anyOf") && !of.contains("properties"))
            return sample(pick(of["anyOf"]), depth);
        if (of.contains("enum"))
            return pick(of["enum"]);
        if (of.contains("examples"))
            return pick(of["examples"]);
        const auto type = of["type"].is_array() ? pick(of["type"]) : of["type"];
        if (type == "object")
            return of.contains("properties") ? object("", of, depth + 1) : map(of, depth + 1);
        if (type == "array")
            return array(of, depth + 1);
        if (type == "integer")
            return of.value("minimum", 0) + static_cast<int>(random_() % 2);
        if (type == "number")
            return 0.5 + static_cast<int>(random_() % 2);
        if (type == "boolean")
            return random_() % 2 == 0;
        return type == "null" ? Json(nullptr) : Json("a");
    }

    Json object(const std::string& name, const Json& of, int depth)
    {
        Json made = Json::object();
        const auto required = of.value("required", Json::array());
        for (const auto& [key, property] : of["properties"].items()) {
            const bool must = std::find(required.begin(), required.end(), key) != required.end();
            const bool is_new = covered_.insert(name + "." + key).second;
            if (must || is_new || random_() % 100 < (depth < 3 ? 25u : 12u))
                made[key] = sample(property, depth);
        }
        // One of the keys without which it would say nothing.
        if (of.contains("anyOf")) {
            const auto picked = pick(of["anyOf"]);
            for (const auto& key : picked["required"])
                if (!made.contains(key))
                    made[key.get<std::string>()] = sample(of["properties"][key.get<std::string>()], depth);
        }
        return made;
    }

private:
    Json pick(const Json& list) { return list[random_() % list.size()]; }

    Json map(const Json& of, int depth)
    {
        Json made = Json::object();
        for (unsigned i = random_() % 3; i > 0; --i)
            made["K" + std::to_string(i)] = of.contains("additionalProperties") ? sample(of["additionalProperties"], depth) : Json("a");
        return made;
    }

    Json array(const Json& of, int depth)
    {
        Json made = of.value("prefixItems", Json::array()).empty() ? Json::array() : Json::array({"NONE"});
        if (!of.contains("items"))
            return Json::array({"a", 1});
        for (unsigned i = of.value("minItems", 0) + random_() % 2; i > made.size();)
            made.push_back(sample(of["items"], depth));
        return made;
    }

    std::mt19937 random_;
    std::set<std::string>& covered_;
};

// What an editor's YAML reader makes of a file: JSON by the core schema, with aliases and merge keys carried out.
Json to_json(const native::Node& node)
{
    using Kind = native::Node::Kind;
    if (node.kind == Kind::null)
        return nullptr;
    if (node.kind == Kind::list) {
        Json list = Json::array();
        for (const auto* item : node.items)
            list.push_back(to_json(*item));
        return list;
    }
    if (node.kind == Kind::map) {
        Json map = Json::object();
        for (std::size_t i = 0; i < node.pairs(); ++i)
            map[node.key(i).text] = to_json(node.value(i));
        return map;
    }
    if (node.is_plain() && native::is_core_boolean(node.text))
        return (node.text.front() | 0x20) == 't';
    if (node.is_plain() && native::is_core_number(node.text)) {
        const auto base = node.text.rfind("0x", 0) == 0 ? 16 : node.text.rfind("0o", 0) == 0 ? 8 : 0;
        return base != 0 ? Json(std::stoll(node.text.substr(2), nullptr, base)) : Json(std::stod(node.text));
    }
    return node.text;
}

Json yaml_to_json(const std::string& text, const std::filesystem::path& folder)
{
    native::NodePool pool;
    Sources sources;
    Diagnostics diagnostics;
    const auto read = [&](const std::string& path) { return path == "." ? std::optional(text) : read_text(folder / path); };
    const auto* root = native::read_with_includes(".", read, pool, sources, diagnostics);
    REQUIRE(root);
    return to_json(*root);
}

// The lines that a Python program prints about `input`; nothing when there is no Python with jsonschema.
std::optional<std::string> python(const std::string& program, const std::string& input)
{
    if (std::system("python3 -c 'import jsonschema' >/dev/null 2>&1") != 0)
        return std::nullopt;
    const auto file = std::filesystem::temp_directory_path() / ("gantry-schema-test-" + std::to_string(std::random_device()()));
    std::ofstream(file) << input;
    std::string output;
    FILE* pipe = popen(("python3 -c \"" + program + "\" < '" + file.string() + "' 2>&1").c_str(), "r");
    REQUIRE(pipe);
    char buffer[4096];
    while (const auto count = std::fread(buffer, 1, sizeof buffer, pipe))
        output.append(buffer, count);
    pclose(pipe);
    std::filesystem::remove(file);
    return output;
}

constexpr const char* k_validate =
    "import json,sys,jsonschema\n"
    "d=json.load(sys.stdin); v=jsonschema.Draft202012Validator(d['schema']); v.check_schema(d['schema'])\n"
    "for n,i in d['instances'].items():\n"
    "    for e in list(v.iter_errors(i))[:3]: print(n, list(e.absolute_path), e.message[:200])\n";

} // namespace

TEST_CASE("what the schema allows is read: every key of it, with the types it says", "[pipeline][schema]")
{
    std::set<std::string> covered;
    for (std::uint32_t seed = 1; seed <= 600; ++seed) {
        CAPTURE(seed);
        const auto instance = Sampler(seed, covered).object("", schema(), 0);

        const auto text = instance.dump(1);
        const auto parsed = parse_text(text);

        for (const auto& problem : parsed.diagnostics) {
            CAPTURE(problem.message, problem.path);
            // What keys say of each other, the schema does not know in full.
            const bool beyond_schema = problem.code == "conflict" || problem.code == "missing-key" || problem.code == "bad-value" ||
                                       problem.code == "include" || problem.code == "missing-file" ||
                                       problem.message.starts_with("more than 100 problems");
            CHECK(beyond_schema);
        }
    }
    std::set<std::string> all;
    for (const auto& [key, property] : schema()["properties"].items())
        all.insert("." + key);
    for (const auto& [name, definition] : schema()["$defs"].items())
        for (const auto& [key, property] : definition["properties"].items())
            all.insert(name + "." + key);
    std::vector<std::string> missed;
    std::set_difference(all.begin(), all.end(), covered.begin(), covered.end(), std::back_inserter(missed));
    CHECK(missed == std::vector<std::string>{});
    CHECK(all.size() > 300);
}

TEST_CASE("every object of the schema is closed but for x- keys, and every key is described", "[pipeline][schema]")
{
    auto objects = schema()["$defs"];
    objects["pipeline"] = schema();
    for (const auto& [name, object] : objects.items()) {
        CAPTURE(name);
        CHECK(object["additionalProperties"] == false);
        CHECK(object["patternProperties"].contains("^x-"));
        for (const auto& [key, property] : object["properties"].items()) {
            CAPTURE(key);
            CHECK(property.value("description", "").size() > 10);
        }
    }
}

TEST_CASE("sizes and durations are the same to the schema as to the reader", "[pipeline][schema]")
{
    Json instances = Json::object();
    std::string refused;
    const auto add = [&](const char* key, const std::string& value) {
        const auto name = key + ("=" + value);
        instances[name] = Json{{"steps", {Json{{"run", "a"}, {"image", "a"}, {key, value}}}}};
        if (!parse_text(instances[name].dump()).ok())
            refused += name + "\n";
    };
    for (const char* size : {"1GiB", "1gib", "512m", "1.5kb", ".5g", "7", "7b", "1x", "1g b", "1ib", "g", "1."})
        add("shm_size", size);
    for (const char* time : {"1w", "1d", "1.5h", ".5s", "1h30m", "10us", "10µs", "5", "1m 5s", "s"})
        add("timeout", time);
    CHECK(refused == "shm_size=1x\nshm_size=1g b\nshm_size=1ib\nshm_size=g\nshm_size=1.\ntimeout=1w\ntimeout=5\ntimeout=1m 5s\ntimeout=s\n");
    const auto said = python("import json,sys,jsonschema\n"
                             "d=json.load(sys.stdin); v=jsonschema.Draft202012Validator(d['schema'])\n"
                             "for n,i in d['instances'].items():\n"
                             "    if not v.is_valid(i): print(n)\n",
                             Json{{"schema", schema()}, {"instances", instances}}.dump());
    if (!said)
        WARN("no python3 with jsonschema: not checked");
    else
        CHECK(*said == refused);
}

TEST_CASE("good files and all that is printed are valid by the schema, misspelt keys are not", "[pipeline][schema]")
{
    Json instances = Json::object();
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() / "good"))
        if (entry.is_regular_file())
            instances[entry.path().filename().string()] = yaml_to_json(read_text(entry.path()).value(), data_folder() / "good");
    for (std::uint32_t seed = 1000; seed < 1040; ++seed)
        instances[std::to_string(seed)] = yaml_to_json(print_native(RandomDefinition(seed).definition()), data_folder());
    const auto good = python(k_validate, Json{{"schema", schema()}, {"instances", instances}}.dump());
    if (!good) {
        WARN("no python3 with jsonschema: not checked");
        return;
    }
    CHECK(*good == "");

    const Json bad{{"key", Json::parse(R"({"steps": ["a"], "timout": "1s"})")},
                   {"stage", Json::parse(R"({"stages": [{"name": "a", "neds": [], "steps": ["a"]}]})")},
                   {"both", Json::parse(R"({"stages": [{"name": "a", "steps": ["a"]}], "steps": ["a"]})")},
                   {"none", Json::parse(R"({"name": "a"})")},
                   {"duration", Json::parse(R"({"steps": [{"run": "a", "timeout": "soon"}]})")}};
    const auto refused = python(k_validate, Json{{"schema", schema()}, {"instances", bad}}.dump());
    for (const auto& [name, instance] : bad.items())
        CHECK_THAT("\n" + *refused, ContainsSubstring("\n" + name + " "));
}
