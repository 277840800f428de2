#include "pipeline/frontend/compose_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

// What a small Compose file could make much work of is little work, or refused.

namespace {

template <class Make> std::string repeated(int count, Make make)
{
    std::string text;
    for (int i = 0; i < count; ++i)
        text += make(std::to_string(i));
    return text;
}

} // namespace

TEST_CASE("a .env is read once for all stages", "[pipeline][compose]")
{
    const auto stages = "stages:\n" + repeated(200, [](const std::string& i) {
                            return "  - { name: s" + i + ", image: x, compose: compose.yml, steps: [x] }\n";
                        });
    const auto lines = repeated(60'000, [](const std::string& i) { return "A" + i + "=\n"; });
    const auto plain = compose_problems("services: { a: { image: \"i$A1\" } }\n", {{".gantry.yml", stages}, {".env", lines}});
    CHECK(plain == "");
    const auto templates = repeated(40'000, [](const std::string& i) { return "A" + i + "=$B\n"; });
    const auto computed = compose_problems("services: { a: { image: i } }\n", {{".gantry.yml", stages}, {".env", "B=\n" + templates}});
    CHECK_THAT(computed, ContainsSubstring("make more than"));
    const auto same = compose_problems("services: { a: { image: i } }\n", {{".env", repeated(60'000, [](const std::string&) { return "A=$A\n"; })}});
    CHECK_THAT(same, ContainsSubstring("uses a variable that has no value"));
}

TEST_CASE("a variable of .env means the last above it", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services: { s: { image: i, command: [$A, $B, $C, $D] } }\n", {{".env", "A=1\nB=$A\nA=2\nC=$A\nA=3\nD=x\nD=$D$B\n"}});
    REQUIRE(problems_of(parsed) == "");
    const auto& command = *parsed.definition.stages.at(0).services.at(0).container.command;
    CHECK((command[0].literal() == "3" && command[1].literal() == "1" && command[2].literal() == "2" && command[3].literal() == "x1"));
}

TEST_CASE("the same file included thousands of times", "[pipeline][compose]")
{
    const auto includes = "include: [" + repeated(15'000, [](const std::string&) { return "b.yml,\n "; }) + "b.yml]\n";
    const auto services = "services:\n" + repeated(10'000, [](const std::string& i) { return "  s" + i + ": { image: i }\n"; });
    const auto many = compose_problems(includes + services, {{"b.yml", "services: { b: { image: i } }\n"}});
    CHECK_THAT(many, ContainsSubstring("make more than"));
}

TEST_CASE("a config with many keys that is granted many times", "[pipeline][compose]")
{
    const auto keys = repeated(18'000, [](const std::string& i) { return ",\n x-" + i + ": 1"; });
    const auto grants = repeated(18'000, [](const std::string&) { return "c,\n "; });
    const auto many = compose_problems("services: { s: { image: i, configs: [\n" + grants + "c] } }\nconfigs: { c: { content: a" + keys + " } }\n");
    CHECK(many == "");
}

TEST_CASE("thousands of dependencies and links", "[pipeline][compose]")
{
    constexpr int k_count = 39'500;
    const auto short_name = [](int number) {
        const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        std::string name;
        for (int digits = 3; digits > 0; --digits, number /= 52)
            name += letters[static_cast<std::size_t>(number % 52)];
        return name;
    };
    std::string names, links;
    for (int i = 0; i < k_count; ++i) {
        names += short_name(i) + ",\n ";
        links += short_name(k_count - 1) + ",\n ";
    }
    const auto many = compose_problems("services: { s: { image: i, depends_on: [" + names + "], links: [" + links + "] } }\n");
    CHECK(many == "");
}
