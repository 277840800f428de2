#include "base/error.hpp"
#include "base/scratch.hpp"
#include "cache/removal.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::cache;

namespace {

struct Shape {
    std::string name, key;
    std::vector<std::pair<std::string, std::uint64_t>> layers;
    int used = 0;
};

std::vector<Used> used(const std::vector<Shape>& shapes)
{
    std::vector<Used> all;
    for (const auto& shape : shapes) {
        Used one;
        one.entry.place = {"engine", "scope", shape.name};
        one.entry.key = shape.key;
        for (const auto& [volume, size] : shape.layers)
            one.entry.layers.push_back({volume, size, 1, ""});
        one.used = std::chrono::system_clock::time_point(std::chrono::seconds(shape.used));
        all.push_back(one);
    }
    return all;
}

std::string keys(const std::vector<Entry>& entries)
{
    std::string text;
    for (const auto& entry : entries)
        text += entry.key;
    return text;
}

} // namespace

TEST_CASE("what was used least recently goes first, and no more than has to", "[removal]")
{
    const auto entries = used({{"a", "1", {{"v1", 40}}, 3}, {"a", "2", {{"v2", 40}}, 1}, {"b", "3", {{"v3", 40}}, 2}});
    CHECK(keys(over_limit(entries, {1000, 1000})).empty());
    CHECK(keys(over_limit(entries, {1000, 119})) == "2");
    CHECK(keys(over_limit(entries, {1000, 79})) == "23");
    CHECK(keys(over_limit(entries, {79, 1000})) == "2");
    CHECK(keys(over_limit(entries, {79, 79})) == "23");
}

TEST_CASE("a layer that several entries have counts once, and goes with the last of them", "[removal]")
{
    const auto entries = used({{"a", "1", {{"v", 100}}, 1}, {"a", "2", {{"v", 100}, {"w", 5}}, 2}, {"a", "3", {{"x", 50}}, 3}});
    CHECK(size_bytes_of(entries) == 155);
    CHECK(keys(over_limit(entries, {155, 155})).empty());
    CHECK(keys(over_limit(entries, {154, 154})) == "12"); // the first alone frees nothing
    CHECK(unused_volumes({"v", "w", "x", "y", "z"}, entries, {"z"}) == std::set<std::string>{"y"});
}

TEST_CASE("the environment sets the limits", "[removal]")
{
    const ScopedEnv each("GANTRY_CACHE_MAX_EACH", "5m");
    {
        const ScopedEnv total("GANTRY_CACHE_MAX", "1g");
        CHECK(limits_from_environment().each_bytes == 5 << 20);
        CHECK(limits_from_environment().total_bytes == 1 << 30);
    }
    const ScopedEnv total("GANTRY_CACHE_MAX", "much");
    CHECK_THROWS_AS(limits_from_environment(), Error);
}
