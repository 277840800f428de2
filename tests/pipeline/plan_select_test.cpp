#include "pipeline/plan_select.hpp"

#include "pipeline/plan_support.hpp"

#include "base/format.hpp"
#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("a part can be chosen, with all that it needs", "[plan]")
{
    const auto definition = three_stages();
    const auto chosen = [&](Lines stages, Lines steps, MatrixRow matrix = {}) {
        PlanOptions options;
        options.only_stages = std::move(stages);
        options.only_steps = std::move(steps);
        options.matrix = std::move(matrix);
        auto lines = plan_problems(definition, options);
        return lines.empty() ? outline(plan_of(definition, options)) : lines;
    };
    CHECK(chosen({"build"}, {}) == Lines{"build: unit pack"});
    CHECK(chosen({"test[go=1.23]"}, {}) == Lines{"build: unit pack", "test[go=1.23]: unit lint report"});
    CHECK(chosen({}, {"lint"}, {{"go", "1.22"}}) == Lines{"build: unit pack", "test[go=1.22]: unit lint"});
    CHECK(chosen({}, {"build/unit"}) == Lines{"build: unit"});
    CHECK(chosen({}, {"test[go=1.22]/unit"}) == Lines{"build: unit pack", "test[go=1.22]: unit"});
    CHECK(chosen({"build"}, {"unit"}) == Lines{"build: unit"});
    CHECK(chosen({}, {"build/unit", "test/unit"}) ==
          Lines{"build: unit pack", "test[go=1.22]: unit", "test[go=1.23]: unit"});
    CHECK(chosen({}, {}, {{"go", "1.23"}}) ==
          Lines{"build: unit pack", "test[go=1.23]: unit lint report", "deploy: ship"});
    CHECK(chosen({}, {"unit"}) == Lines{"'unit' is a step of several stages | say which: build/unit, test/unit"});
    CHECK(chosen({"biuld"}, {}) == Lines{"there is no stage 'biuld' | did you mean 'build'?"});
    CHECK(chosen({}, {"shp"}) == Lines{"there is no step 'shp' | did you mean 'ship'?"});
    CHECK(chosen({}, {}, {{"g", "1"}}) == Lines{"no matrix has 'g' | did you mean 'go'?"});
    CHECK(chosen({}, {}, {{"go", "1.24"}}) == Lines{"no row has go=1.24 | did you mean '1.22'?"});
}

TEST_CASE("rows of a matrix are chosen with what they need, be it in another row", "[plan]")
{
    auto rows = stage("b", {step("s")}, Lines{"a"});
    rows.matrix = matrix_of({{"m", {Text("x"), Text("y")}}});
    rows.matrix->include = {MatrixRow{{"m", "z"}, {"c", "extra"}}};
    auto others = stage("c", {step("s")}, Lines{});
    others.matrix = matrix_of({{"m", {Text("x")}}, {"n", {Text("1"), Text("2")}}});
    const auto definition = pipeline_of({stage("a", {step("s")}, Lines{}), rows, others, stage("d", {step("s")}, Lines{"b[m=x]"}),
                                         stage("e", {step("s")}, Lines{"b", "c"})});
    const auto chosen = [&](Lines stages, MatrixRow matrix) {
        PlanOptions options;
        options.only_stages = std::move(stages);
        options.matrix = std::move(matrix);
        auto lines = plan_problems(definition, options);
        if (!lines.empty())
            return lines;
        for (const auto& one : plan_of(definition, options).stages)
            lines.push_back(one.id + (one.needs.empty() ? "" : " <- " + gantry::join(one.needs, " ")));
        return lines;
    };
    CHECK(chosen({"d"}, {{"m", "y"}}) == Lines{"a", "b[m=x] <- a", "d <- b[m=x]"});
    CHECK(chosen({"b"}, {{"m", "y"}}) == Lines{"a", "b[m=y] <- a"});
    CHECK(chosen({"b"}, {{"m", "x"}, {"m", "y"}}) == Lines{"a", "b[m=x] <- a", "b[m=y] <- a"});
    // A key that only some rows have; what a stage needs is there although none of its rows matches.
    CHECK(chosen({"b"}, {{"c", "extra"}}) == Lines{"a", "b[m=z] <- a"});
    CHECK(chosen({"e"}, {{"m", "y"}}) == Lines{"a", "c[m=x,n=1]", "c[m=x,n=2]", "b[m=y] <- a", "e <- b[m=y] c[m=x,n=1] c[m=x,n=2]"});
    CHECK(chosen({}, {{"m", "y"}, {"n", "2"}}) == Lines{"no row has m=y, n=2 | each is in some row, all of them are in none"});
    CHECK(chosen({"c"}, {{"m", "y"}}) == Lines{"'c' has no row with m=y | leave out --matrix, or the stage"});
    CHECK(chosen({}, {{"m", "x"}, {"m", "w"}}) == Lines{"no row has m=w | there is x, y, z"});
}

TEST_CASE("of a parallel group only the chosen step is kept", "[plan]")
{
    auto one = stage("a", {step("first")});
    one.steps.push_back({{step("left"), step("right")}});
    one.steps.push_back({{step("last")}});
    one.finally_steps = {{{step("clean")}}};
    PlanOptions options;
    options.only_steps = {"right"};

    CHECK(outline(plan_of(pipeline_of({one}), options)) == Lines{"a: first right clean"});
}
