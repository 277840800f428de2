#include "runner/hold.hpp"
#include "runner/lower_fixture.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::test;
using Words = std::vector<std::string>;

namespace {

bool held(const LowerFixture& fixture)
{
    return runner::can_be_held(fixture.plan.stages[0].steps[0], fixture.lower());
}

} // namespace

TEST_CASE("a script in a shell that can read is held", "[hold]")
{
    LowerFixture fixture;
    fixture.step().run = pipeline::Text("make");
    for (const char* shell : {"sh", "/bin/ash", "/usr/bin/bash", "dash"}) {
        fixture.step().shell = {shell, "-c"};
        CHECK(held(fixture));
    }
    for (const auto& shell : {Words{"python3", "-c"}, Words{"/bin/fish", "-c"}, Words{"shell"}}) {
        fixture.step().shell = shell;
        CHECK_FALSE(held(fixture));
    }
}

TEST_CASE("a step with a working directory is not held: its start would make the folder under earlier steps", "[hold]")
{
    LowerFixture fixture;
    fixture.step().run = pipeline::Text("make");
    fixture.container().working_dir = pipeline::Text("build");
    CHECK_FALSE(held(fixture));
    fixture.container().working_dir = pipeline::Text("/srv");
    CHECK_FALSE(held(fixture));
    fixture.container().working_dir = pipeline::Text("/workspace/");
    CHECK(held(fixture));
}

TEST_CASE("a step with a port or an address of its own is not held: the step before it may have the same", "[hold]")
{
    LowerFixture fixture;
    fixture.step().run = pipeline::Text("make");
    fixture.container().ports = {{"", "8080", "80", "tcp", {}}};
    CHECK_FALSE(held(fixture));
    fixture.container().ports.clear();
    fixture.container().networks = {{"default", {}, "10.1.2.3", "", {}}};
    CHECK_FALSE(held(fixture));
    fixture.container().networks[0].ipv4_address.clear();
    CHECK(held(fixture));
}

TEST_CASE("a held container runs the same command after one line", "[hold]")
{
    LowerFixture fixture;
    fixture.step().run = pipeline::Text("make");
    auto spec = fixture.lower();
    runner::hold_back(spec);
    CHECK(spec.open_stdin);
    CHECK(spec.entrypoint == Words{"sh"});
    CHECK(spec.command == Words{"-c", "IFS= read -r _ && unset _ && exec \"$@\"", "sh", "sh", "-ec", "make"});
}
