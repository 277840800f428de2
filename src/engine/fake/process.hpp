#pragma once

#include "engine/fake/fake.hpp"
#include "engine/fake/parking.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// The processes of the fake engine: the main one of a container, and those that exec() adds.

namespace gantry::engine {

// What a process has written and nobody has read yet.
struct FakePipe {
    std::deque<std::pair<Stream, std::string>> pieces;
    bool closed = false; // by the process
    bool broken = false; // the engine went away
    Waiters changed;

    void write(Stream stream, std::string bytes);
    void close();
    void break_off();
};

// What a process can read.
struct FakeInput {
    std::string bytes; // all that was ever written
    bool closed = false;
    Waiters changed;

    void write(std::string_view more);
    void close();
};

class FakeProcess : public std::enable_shared_from_this<FakeProcess> {
public:
    struct Setting {
        asio::any_io_executor executor;
        Clock* clock = nullptr;
        std::shared_ptr<FakePipe> pipe; // may be null: nobody is attached
        std::shared_ptr<FakeInput> input;
        bool tty = false;
    };
    // `by_itself`: not by a signal.
    using Ended = std::function<void(int exit_code, bool by_itself)>;

    FakeProcess(Setting setting, FakeBehaviour behaviour, Ended ended);

    // Call once. A process that takes no time has ended when this returns.
    void begin();
    // Does what the behaviour says about signals; nothing when it has ended.
    void signal(int number);
    // It vanishes without telling anyone.
    void abandon();

    bool running() const { return running_; }
    int exit_code() const { return exit_code_; }
    const FakeBehaviour& behaviour() const { return behaviour_; }

private:
    static awaitable<void> live(std::shared_ptr<FakeProcess> self);
    static awaitable<void> stop_later(std::shared_ptr<FakeProcess> self, int exit_code);
    awaitable<void> read_input();
    awaitable<void> say_the_rest(Clock::time_point begun);
    void say(Stream stream, const std::string& bytes);
    void spawn(awaitable<void> life);
    void end(int exit_code, bool by_itself);
    void end_life();

    Setting setting_;
    FakeBehaviour behaviour_;
    Ended ended_;
    bool running_ = false;
    bool stopping_ = false;
    int exit_code_ = 0;
    std::shared_ptr<asio::cancellation_signal> life_; // of the coroutine that plays the behaviour
};

// "SIGTERM", "TERM", "15" → 15; throws bad_input.
int signal_number(const std::string& signal);

} // namespace gantry::engine
