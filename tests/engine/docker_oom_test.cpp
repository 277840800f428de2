// A kill for want of memory that dockerd tells of late: its state says "no", an event follows. Seen of 20.10 under load.
#include "engine/docker_scripted_daemon.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

constexpr const char* k_state = R"({"State": {"Status": "exited", "ExitCode": 137, "OOMKilled": false,
    "StartedAt": "2026-01-02T03:04:05.5Z"}, "HostConfig": {}, "NetworkSettings": {}})";
constexpr const char* k_oom = R"({"Type": "container", "Action": "oom", "Actor": {"ID": "f00", "Attributes": {"name": "one"}}})";

// A container that ended by SIGKILL, for a daemon that says this to GET /events.
struct Killed : ScriptedEngine {
    explicit Killed(Says events, int exit_code = 137)
        : ScriptedEngine([events, exit_code](const Asked& asked) {
              if (asked.line.find("/wait") != std::string::npos)
                  return ScriptedDaemon::json(200, R"({"StatusCode": )" + std::to_string(exit_code) + "}");
              if (asked.line.find("/events") != std::string::npos)
                  return events;
              if (asked.line.find("/kill") != std::string::npos)
                  return ScriptedDaemon::json(204, "");
              return ScriptedDaemon::json(200, k_state);
          })
    {
    }

    ContainerExit wait() { return loop.run(engine->wait_container("one")); }
};

} // namespace

TEST_CASE("what the daemon tells of a kill after the end is waited for", "[engine]")
{
    Killed killed(unended({k_oom}));
    const auto exit = killed.wait();
    CHECK(exit.oom_killed);
    CHECK(exit.exit_code == 137);
    REQUIRE(killed.daemon.count("/events") == 1);
    const auto& asked = killed.daemon.asked.back().line;
    CHECK_THAT(asked, ContainsSubstring("since=1767323045&"));
    CHECK_THAT(asked, ContainsSubstring("one"));
    CHECK_THAT(asked, ContainsSubstring("oom"));
}

TEST_CASE("a kill of which the daemon says no more is a kill", "[engine]")
{
    Killed silent(unended({}));
    CHECK_FALSE(silent.wait().oom_killed);

    Killed gone({"", true});
    CHECK_FALSE(gone.wait().oom_killed);
}

TEST_CASE("nothing is waited for where the end has a reason", "[engine]")
{
    SECTION("it failed by itself")
    {
        Killed killed(unended({k_oom}), 1);
        CHECK_FALSE(killed.wait().oom_killed);
        CHECK(killed.daemon.count("/events") == 0);
    }
    SECTION("we killed it")
    {
        Killed killed(unended({k_oom}));
        killed.loop.run(killed.engine->kill_container("one", "KILL"));
        CHECK_FALSE(killed.wait().oom_killed);
        CHECK(killed.daemon.count("/events") == 0);
        CHECK(killed.wait().oom_killed); // of its name, but another one
    }
}
