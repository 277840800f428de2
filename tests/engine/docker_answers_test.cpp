// Answers that a daemon, or what stands between it and us, would not give: nothing of them is obeyed, and nothing crashes.
#include "engine/docker_scripted_daemon.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

// A daemon whose every answer is this.
struct Odd : ScriptedEngine {
    explicit Odd(Says answer) : ScriptedEngine([answer](const Asked&) { return answer; }) {}
};

} // namespace

TEST_CASE("P21: answers that are deep are read or refused", "[engine][probe]")
{
    const std::string open(100'000, '['), close(100'000, ']');
    Odd cut(ScriptedDaemon::json(200, open));
    CHECK_THROWS_WITH(cut.loop.run(cut.engine->find_image("one")), ContainsSubstring("not JSON"));
    CHECK_THROWS_WITH(cut.loop.run(cut.engine->inspect_container("one")), ContainsSubstring("not JSON"));

    Odd whole(ScriptedDaemon::json(200, open + close));
    CHECK(whole.loop.run(whole.engine->inspect_container("one")).ports.empty());
    Odd inside(ScriptedDaemon::json(200, R"({"State": )" + open + close + R"(, "Id": )" + open + close + "}"));
    CHECK(inside.loop.run(inside.engine->inspect_container("one")).exit.exit_code == 0);
}

TEST_CASE("P21: an answer of 100 MB is refused", "[engine][probe]")
{
    Odd huge(ScriptedDaemon::json(200, R"({"Id": ")" + std::string(100'000'000, 'x') + "\"}"));
    CHECK_THROWS_WITH(huge.loop.run(huge.engine->find_image("one")), ContainsSubstring("64 MiB"));
}

TEST_CASE("P21: of what an answer says twice one thing counts", "[engine][probe]")
{
    Odd twice(ScriptedDaemon::json(200, R"({"State": {"Status": "exited", "ExitCode": 1, "ExitCode": 2}})"));
    CHECK(twice.loop.run(twice.engine->inspect_container("one")).exit.exit_code == 2);
}
