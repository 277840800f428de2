#include "pipeline/plan.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"
#include "pipeline/build_definition.hpp"
#include "pipeline/graph_text.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace gantry::pipeline;

namespace {

Plan some_plan()
{
    auto build = stage("build", {step("configure", "# first\ncmake -S . -B build"), step("compile", "make")});
    auto test = stage("test", {step("unit", "make check")});
    test.steps.push_back({{step("lint", "make lint"), step("vet", "make vet")}});
    test.finally_steps = {{{step("logs", "./collect-logs.sh")}}};
    test.matrix = matrix_of({{"gcc", {"13", "14"}}});
    auto docs = stage("docs", {step("html", "make html")}, std::vector<std::string>{});
    auto deploy = stage("deploy", {step("ship", "./ship ${{ steps.compile.outputs.version }}")},
                        std::vector<std::string>{"build", "test"});
    deploy.condition = text("branch == 'main'");
    Event event;
    event.kind = Event::Kind::push;
    event.branch = "dev";
    event.sha = "4f2a9c1000";
    return make_plan(pipeline_of({build, test, docs, deploy}), event, {}).plan;
}

Plan hostile_plan()
{
    Plan plan;
    plan.pipeline = "x\"\\ \x1b[31m";
    PlanStage one, two;
    one.id = one.name = "a\"]; evil --> b <script>\n\x1b]0;t\x07";
    two.id = two.name = std::string(300, 'w');
    two.needs = {one.id};
    PlanStep step;
    step.id = "s\r\n\xff#quot;";
    step.run = Text("\x1b[2J\nrm");
    two.steps = {step};
    plan.stages = {one, two};
    return plan;
}

} // namespace

TEST_CASE("a plan reads as a list", "[graph]")
{
    CHECK(render_plan(some_plan()) == R"(shop · push of dev @ 4f2a9c10
12 steps in 5 stages

build
  › configure  debian  cmake -S . -B build
  › compile    debian  make

docs
  › html       debian  make html

test [gcc=13]  ← build
  › unit       debian  make check
  ∥ lint       debian  make lint
  ∥ vet        debian  make vet
  finally
  › logs       debian  ./collect-logs.sh

test [gcc=14]  ← build
  › unit       debian  make check
  ∥ lint       debian  make lint
  ∥ vet        debian  make vet
  finally
  › logs       debian  ./collect-logs.sh

deploy  ← build, test (2 rows)
  skipped: branch == 'main' does not hold: branch is 'dev'
  › ship       debian  ./ship ${{ steps.compile.outputs.version }}
)");
}

TEST_CASE("a graph shows levels, and needs where they are not the whole level above", "[graph]")
{
    CHECK(render_graph_text(some_plan()) == R"(├─● build          configure › compile
├─● docs           html
│
├─● test [gcc=13]  unit › lint ∥ vet › logs  ← build
├─● test [gcc=14]  unit › lint ∥ vet › logs  ← build
│
● deploy           skipped: branch == 'main' does not h…  ← build, test (2 rows)
)");
}

TEST_CASE("Graphviz and Mermaid get every stage and every need", "[graph]")
{
    CHECK(render_graph_dot(some_plan()) == R"(digraph "shop" {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif"];
  s0 [label="build\nconfigure › compile"];
  s1 [label="docs\nhtml"];
  s2 [label="test [gcc=13]\nunit › lint ∥ vet › logs"];
  s3 [label="test [gcc=14]\nunit › lint ∥ vet › logs"];
  s4 [label="deploy\nship", style="rounded,dashed", color=gray];
  s0 -> s2;
  s0 -> s3;
  s0 -> s4;
  s2 -> s4;
  s3 -> s4;
}
)");
    CHECK(render_graph_mermaid(some_plan()) == R"(flowchart LR
  s0["build<br/>configure › compile"]
  s1["docs<br/>html"]
  s2["test [gcc=13]<br/>unit › lint ∥ vet › logs"]
  s3["test [gcc=14]<br/>unit › lint ∥ vet › logs"]
  s4["deploy<br/>ship"]:::skipped
  s0 --> s2
  s0 --> s3
  s0 --> s4
  s2 --> s4
  s3 --> s4
  classDef skipped stroke-dasharray: 4 4, color: gray
)");
}

TEST_CASE("names from outside cannot break a line, a label or the terminal", "[graph]")
{
    const auto plan = hostile_plan();
    for (const auto& rendered : {render_plan(plan), render_graph_text(plan), render_graph_dot(plan), render_graph_mermaid(plan)}) {
        INFO(rendered);
        CHECK(gantry::is_utf8(rendered));
        for (const char c : rendered)
            CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
    }
    for (const auto& rendered : {render_plan(plan), render_graph_text(plan)})
        for (const auto& line : gantry::split(rendered, '\n'))
            CHECK(gantry::columns_of(line) <= 80);
    const auto dot = render_graph_dot(plan);
    CHECK_THAT(dot, ContainsSubstring(R"(label="a\"]; evil)"));
    CHECK(std::count(dot.begin(), dot.end(), '\n') == 7);
    const auto mermaid = render_graph_mermaid(plan);
    CHECK_THAT(mermaid, ContainsSubstring("a#34;]#59; evil --#62; b #60;script#62;"));
    CHECK(std::count(mermaid.begin(), mermaid.end(), '\n') == 4);
}

TEST_CASE("a plan that runs nothing says why", "[graph]")
{
    Plan plan;
    plan.pipeline = "shop";
    plan.skip_reason = "push to 'dev': on.push.branches is main";

    CHECK(render_plan(plan) == "shop · manual\nnothing runs: push to 'dev': on.push.branches is main\n");
    CHECK(render_graph_text(plan) == "nothing runs: push to 'dev': on.push.branches is main\n");
}
