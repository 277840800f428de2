#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/process.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
using namespace std::chrono_literals;

namespace {

ProcessResult shell(std::string script)
{
    ProcessSpec spec;
    spec.argv = {"sh", "-c", std::move(script)};
    return run_process(spec);
}

Errc failure_of(const ProcessSpec& spec)
{
    try {
        run_process(spec);
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("no exception");
    return Errc::internal;
}

} // namespace

TEST_CASE("a child's output, error output and exit code come back", "[base]")
{
    const auto result = shell("echo out; echo err >&2; exit 3");

    CHECK(result.output == "out\n");
    CHECK(result.error_output == "err\n");
    CHECK(result.exit_code == 3);
    CHECK(result.signal == 0);
    CHECK_FALSE(result.truncated);
}

TEST_CASE("a child that a signal ended says which", "[base]")
{
    const auto result = shell("kill -TERM $$");

    CHECK(result.signal == SIGTERM);
    CHECK(result.exit_code == 128 + SIGTERM);
}

TEST_CASE("arguments are passed as they are", "[base]")
{
    ProcessSpec spec;
    spec.argv = {"printf", "%s|", "a b", "$HOME", "'\"*", ""};

    CHECK(run_process(spec).output == "a b|$HOME|'\"*||");
}

TEST_CASE("a child reads its input to the end, also if there is none", "[base]")
{
    ProcessSpec spec;
    spec.argv = {"cat"};
    CHECK(run_process(spec).output.empty());
    spec.input = std::string(300'000, 'x');
    CHECK(run_process(spec).output == spec.input);
    spec.argv = {"true"}; // does not read at all
    CHECK(run_process(spec).exit_code == 0);
}

TEST_CASE("output beyond the limit is dropped and the child still ends", "[base]")
{
    ProcessSpec spec;
    spec.argv = {"sh", "-c", "head -c 500000 /dev/zero; echo done >&2"};
    spec.output_limit_bytes = 1000;

    const auto result = run_process(spec);

    CHECK(result.output.size() == 1000);
    CHECK(result.error_output == "done\n");
    CHECK(result.truncated);
    CHECK(result.exit_code == 0);
}

TEST_CASE("the environment is added to, and replaced by name", "[base]")
{
    const ScopedEnv inherited("GANTRY_TEST_INHERITED", "old");
    const ScopedEnv kept("GANTRY_TEST_KEPT", "kept");
    ProcessSpec spec;
    spec.argv = {"sh", "-c", "echo $GANTRY_TEST_INHERITED $GANTRY_TEST_KEPT $GANTRY_TEST_NEW; env | grep -c ^GANTRY_TEST"};
    spec.environment = {{"GANTRY_TEST_INHERITED", "new"}, {"GANTRY_TEST_NEW", "added"}};

    CHECK(run_process(spec).output == "new kept added\n3\n");
}

TEST_CASE("a child runs in the directory that it is given", "[base]")
{
    const Scratch scratch;
    write_file_atomic(scratch / "tool", "#!/bin/sh\npwd\n", 0700);
    ProcessSpec spec;
    spec.directory = scratch.path();
    spec.argv = {"./tool"};

    CHECK(run_process(spec).output == scratch.path() + "\n");
}

TEST_CASE("what cannot be run says why", "[base]")
{
    const Scratch scratch;
    write_file_atomic(scratch / "plain", "x", 0600);
    ProcessSpec spec;

    spec.argv = {"gantry-no-such-program"};
    CHECK(failure_of(spec) == Errc::not_found);
    CHECK_THROWS_WITH(run_process(spec), "gantry-no-such-program: no such program on PATH");
    spec.argv = {scratch / "none"};
    CHECK(failure_of(spec) == Errc::not_found);
    spec.argv = {scratch / "plain"};
    CHECK(failure_of(spec) == Errc::denied);
    spec.argv = {"true"};
    spec.directory = scratch / "none";
    CHECK(failure_of(spec) == Errc::not_found);
}

TEST_CASE("at its deadline a child is killed with all that it started", "[base]")
{
    const Scratch scratch;
    const auto fifo = scratch / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const Fd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(reader);
    ProcessSpec spec;
    // The inner sleep keeps the fifo open as long as it lives.
    spec.argv = {"sh", "-c", "exec 9>fifo; sleep 600 & echo ready >&9; wait"};
    spec.directory = scratch.path();

    // A deadline that comes before there is an inner sleep shows nothing of it.
    bool ready = false;
    for (auto limit = 50ms; !ready && limit < 1min; limit *= 2) {
        spec.deadline = limit;
        CHECK(failure_of(spec) == Errc::timed_out);
        char word[16];
        ready = ::read(reader.get(), word, sizeof word) > 0;
    }
    REQUIRE(ready);

    // Killed is not yet gone: the kernel closes its files on the way, and tells of the last.
    pollfd end{reader.get(), POLLIN, 0};
    REQUIRE(::poll(&end, 1, 10'000) == 1);
    CHECK(end.revents == POLLHUP);
    spec.deadline = 50ms;
    CHECK_THROWS_WITH(run_process(spec), "sh: no answer within 50ms");
}

TEST_CASE("a child that writes without end meets its deadline", "[base]")
{
    ProcessSpec spec;
    spec.argv = {"yes"};
    spec.deadline = 20ms;
    spec.output_limit_bytes = 100;

    CHECK(failure_of(spec) == Errc::timed_out);
}

TEST_CASE("what a child leaves in the background does not hold us up", "[base]")
{
    const auto start = std::chrono::steady_clock::now();

    const auto result = shell("sleep 20 & echo $!");

    CHECK(std::chrono::steady_clock::now() - start < 10s);
    const auto left_behind = std::stoi(result.output);
    CHECK(left_behind > 1);
    ::kill(left_behind, SIGKILL);
}

TEST_CASE("a child has no descriptors but the three, and default signals", "[base]")
{
    const int leaked = ::open("/dev/null", O_RDONLY); // without close-on-exec
    REQUIRE(leaked >= 0);
    std::signal(SIGPIPE, SIG_IGN);

    const auto result = shell("ls /proc/self/fd | wc -l; sed -n 's/SigIgn:.//p' /proc/self/status");

    std::signal(SIGPIPE, SIG_DFL);
    ::close(leaked);
    // The fourth is ls's own, on the directory.
    const auto lines = split(result.output, '\n');
    REQUIRE(lines.size() >= 2);
    CHECK(lines[0] == "4");
    CHECK((std::stoull(lines[1], nullptr, 16) & 1ULL << (SIGPIPE - 1)) == 0);
}

TEST_CASE("a child with our streams reports its exit code and has no deadline unless given", "[base]")
{
    ProcessSpec spec;
    spec.argv = {"sh", "-c", "exit 7"};
    spec.streams = ProcessStreams::inherit;
    spec.deadline.reset();

    const auto result = run_process(spec);

    CHECK(result.exit_code == 7);
    CHECK(result.output.empty());
}

TEST_CASE("programs are found on PATH, in its order, and only executable files", "[base]")
{
    const Scratch scratch;
    make_directories(scratch / "a", 0700);
    make_directories(scratch / "b/tool", 0700);
    make_directories(scratch / "c", 0700);
    write_file_atomic(scratch / "a/tool", "", 0600);
    write_file_atomic(scratch / "c/tool", "", 0700);
    const ScopedEnv path("PATH", (":relative:" + scratch.path() + "/a:" + scratch.path() + "/b:" + scratch.path() + "/c").c_str());

    CHECK(find_program("tool") == scratch / "c/tool");
    CHECK(find_program(scratch / "c/tool") == scratch / "c/tool");
    CHECK_FALSE(find_program(scratch / "a/tool"));
    CHECK_FALSE(find_program("other"));
    CHECK_FALSE(find_program(""));
}
