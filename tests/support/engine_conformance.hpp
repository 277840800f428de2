#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "engine/fake/fake.hpp"
#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What every engine must do, written once (engine.hpp is the specification). A new engine brings a bench and runs
// conformance_cases(); a new claim is a function and a row in the table of its file.

namespace gantry::test {

// One engine under test, with what the cases must know about it.
class EngineBench {
public:
    virtual ~EngineBench() = default;

    virtual engine::Engine& engine() = 0;
    virtual Clock& clock() = 0;
    // An image that is there, with /bin/sh and the commands of busybox in it.
    virtual std::string image() const = 0;
    // Runs one case to its end.
    virtual void run(awaitable<void> task) = 0;

    // On everything that this bench makes, and on nothing else.
    engine::Labels labels() const;
    std::string unique_name(const std::string& what) const;
    // A container that runs `script` by "/bin/sh -c". `script` is one that scripted_behaviour() knows.
    engine::ContainerSpec shell(const std::string& what, const std::string& script) const;
    engine::NetworkSpec network(const std::string& what) const;
    engine::VolumeSpec volume(const std::string& what) const;
    // Removes all that carries labels().
    awaitable<void> clear();

protected:
    EngineBench();

private:
    std::string id_;
};

struct ConformanceCase {
    std::string claim;
    awaitable<void> (*check)(EngineBench& bench);
};
// All of them, in the order of their files.
std::vector<ConformanceCase> conformance_cases();
std::vector<ConformanceCase> container_cases();
std::vector<ConformanceCase> stream_cases();
std::vector<ConformanceCase> object_cases();
std::vector<ConformanceCase> file_cases();
std::vector<ConformanceCase> image_cases();
std::vector<ConformanceCase> use_cases();

// Runs one case, then removes what it left.
void run_case(EngineBench& bench, const ConformanceCase& one);

// The scripts of the cases, in POSIX sh. Those that say something before they wait let a case know that they are there.
namespace scripts {
inline const std::string k_nothing = "exit 0";
inline const std::string k_endless = "echo ready; exec sleep 3600";
inline const std::string k_deaf = "trap '' TERM; echo ready; while :; do sleep 1; done";
inline const std::string k_handler = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
inline const std::string k_half_a_second = "sleep 0.5; exit 4";
inline const std::string k_two_streams = R"(printf 'one\ntwo'; printf 'three\nfour' >&2; exit 3)";
inline const std::string k_all_bytes =
    R"sh(i=0; while [ $i -lt 256 ]; do printf "\\$(printf %03o $i)"; i=$((i+1)); done)sh";
inline const std::string k_three_megabytes = "yes 0123456789abcdef | head -c 3000000";
inline const std::string k_held = "IFS= read -r line && exit 5";
inline const std::string k_echo = "cat";
inline const std::string k_exec_echo = "cat; echo end >&2; exit 6";
inline const std::string k_leave_files = "mkdir -p /data/sub; printf A >/data/a; printf B >/data/sub/b";
inline const std::string k_read_file = "cat /in/hello";
inline const std::string k_memory_hog = "tail /dev/zero";
inline const std::string k_healthy = "exec sleep 3601";
std::string exit_with(int code); // "exit 7"
} // namespace scripts

// What the fake engine does in place of a script; fails the test for a script that it does not know.
engine::FakeBehaviour scripted_behaviour(const engine::ContainerSpec& spec);
engine::FakeBuildBehaviour scripted_build(const engine::BuildSpec& spec, const std::string& dockerfile);
engine::FakeBehaviour scripted_exec(const std::string& container, const engine::ExecSpec& spec);

// ---- for the cases

class Collected final : public engine::OutputSink {
public:
    awaitable<void> write(engine::Stream stream, std::string_view bytes) override;
    std::string out, err;
};

// Created, attached and started.
struct Running {
    std::unique_ptr<engine::Attachment> attachment;
};
awaitable<Running> start(EngineBench& bench, const engine::ContainerSpec& spec);
// A container that writes a line when it is ready, with its output read beside the case.
class Listening {
public:
    explicit Listening(asio::any_io_executor executor) : beside_(std::move(executor)) {}

    // Runs until end() too.
    void beside(std::function<awaitable<void>()> task) { beside_.spawn(std::move(task)); }
    // Returns when the container's output has ended, and the other tasks.
    awaitable<void> end() { return beside_.join(); }

    Collected output;

private:
    friend awaitable<void> while_listening(EngineBench&, const engine::ContainerSpec&,
                                           std::function<awaitable<void>(Listening&)>);
    std::unique_ptr<engine::Attachment> attachment_;
    TaskGroup beside_;
};
// Starts it, and runs `act` when it is ready. Takes the tasks beside it down on every path.
awaitable<void> while_listening(EngineBench& bench, const engine::ContainerSpec& spec,
                                std::function<awaitable<void>(Listening&)> act);

struct Ran {
    std::string out, err;
    engine::ContainerExit exit;
};
// The whole life of a container, removal included.
awaitable<Ran> whole_life(EngineBench& bench, const engine::ContainerSpec& spec);

// Waits on the bench's clock; fails the test after 20 s.
awaitable<void> until(EngineBench& bench, std::string what, std::function<bool()> condition);

// The code of the Error that comes out, as text; "none" without one.
template <typename T>
awaitable<std::string> failure_of(awaitable<T> task)
{
    try {
        co_await std::move(task);
    } catch (const Error& error) {
        co_return std::string(to_string(error.code()));
    }
    co_return "none";
}

} // namespace gantry::test
