#include "pipeline/plan_support.hpp"

#include <set>

using namespace gantry::pipeline;

TEST_CASE("patterns that rows compute are refused when they are too much work together", "[plan]")
{
    std::vector<Text> values;
    for (int i = 0; i < 200; ++i)
        values.emplace_back(std::to_string(i));
    auto one = stage("a", {});
    one.matrix = matrix_of({{"x", values}});
    const auto planned = [&](const std::string& pattern) {
        one.steps.clear();
        for (int i = 0; i < 8; ++i) {
            one.steps.push_back({{step("s" + std::to_string(i))}});
            one.steps.back().steps[0].condition = text("${{ branch matches " + pattern + " }}");
        }
        std::set<std::string> problems;
        for (auto& problem : plan_problems(pipeline_of({one})))
            problems.insert(std::move(problem));
        return problems;
    };
    std::string large = "'", computed = "format('{0}";
    for (char letter = 'a'; letter < 'k'; ++letter) {
        large += std::string("((") + letter + "{10}){10}){10}";
        computed += std::string("((") + letter + "{{10}}){{10}}){{10}}";
    }
    CHECK(planned("format('^v{0}$', matrix.x)") == std::set<std::string>{});
    CHECK(planned(large + "'") == std::set<std::string>{});
    CHECK(planned(computed + "', matrix.x)") == std::set<std::string>{});
    std::string more;
    for (int i = 0; i < 3; ++i)
        more += computed + std::to_string(i) + "', matrix.x) || branch matches ";
    CHECK(planned(more + "'^x'") == std::set<std::string>{"the patterns of 'matches' are too much work together: use fewer, or smaller repetitions"});
}
