// What dockerd's events say of an end that its state does not: a kill for want of memory that it hears of late, and that it has
// stopped the container because it stops itself. Both seen of 20.10.
#include "engine/docker_scripted_daemon.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

constexpr const char* k_state = R"({"State": {"Status": "exited", "ExitCode": 137, "OOMKilled": false,
    "StartedAt": "2026-01-02T03:04:05.5Z"}, "HostConfig": {}, "NetworkSettings": {}})";
constexpr const char* k_oom = R"({"Type": "container", "Action": "oom", "Actor": {"ID": "f00", "Attributes": {"name": "one"}}})";

constexpr const char* k_die = R"({"Type": "container", "Action": "die", "Actor": {"ID": "f00", "Attributes": {"name": "one"}}})";

// A container that ended by SIGKILL, for a daemon that says this of kills for want of memory, and this of its end.
struct Killed : ScriptedEngine {
    explicit Killed(Says oom, int exit_code = 137, Says end = unended({k_die}))
        : ScriptedEngine([=](const Asked& asked) {
              if (asked.line.find("/wait") != std::string::npos)
                  return ScriptedDaemon::json(200, R"({"StatusCode": )" + std::to_string(exit_code) + "}");
              if (asked.line.find("/events") != std::string::npos)
                  return asked.line.find("oom") != std::string::npos ? oom : end;
              if (asked.line.find("/kill") != std::string::npos)
                  return ScriptedDaemon::json(204, "");
              return ScriptedDaemon::json(200, k_state);
          })
    {
    }

    ContainerExit wait() { return loop.run(engine->wait_container("one")); }
    std::ptrdiff_t questions(const std::string& of) const
    {
        return std::count_if(daemon.asked.begin(), daemon.asked.end(), [&](const Asked& asked) {
            return asked.line.find("/events") != std::string::npos && asked.line.find(of) != std::string::npos;
        });
    }
};

} // namespace

TEST_CASE("what the daemon tells of a kill after the end is waited for", "[engine]")
{
    Killed killed(unended({k_oom}));
    const auto exit = killed.wait();
    CHECK(exit.oom_killed);
    CHECK(exit.exit_code == 137);
    REQUIRE(killed.questions("oom") == 1);
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
        CHECK(killed.questions("oom") == 0);
    }
    SECTION("we killed it")
    {
        Killed killed(unended({k_oom}));
        killed.loop.run(killed.engine->kill_container("one", "KILL"));
        CHECK_FALSE(killed.wait().oom_killed);
        CHECK(killed.questions("") == 0);
        CHECK(killed.wait().oom_killed); // of its name, but another one
    }
}

TEST_CASE("an end that a daemon does not tell over a new connection is the end of the daemon", "[engine]")
{
    Killed stopped(unended({}), 143, {"", true});
    try {
        stopped.wait();
        FAIL("an end of its own");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::unavailable);
        CHECK_THAT(error.what(), ContainsSubstring("the container engine has been stopped"));
    }

    Killed failed(unended({}), 3);
    CHECK(failed.wait().exit_code == 3);
    CHECK(failed.questions("die") == 1);
    CHECK(failed.daemon.connections == 2); // a kept one may lead to a daemon that takes no more

    Killed passed(unended({}), 0, {"", true});
    CHECK(passed.wait().exit_code == 0);
    CHECK(passed.questions("") == 0);
}
