#include "engine/fake/process.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <array>
#include <csignal>
#include <exception>

namespace gantry::engine {

void FakePipe::write(Stream stream, std::string bytes)
{
    if (closed || broken || bytes.empty())
        return;
    pieces.emplace_back(stream, std::move(bytes));
    changed.wake_all();
}

void FakePipe::close()
{
    closed = true;
    changed.wake_all();
}

void FakePipe::break_off()
{
    broken = true;
    pieces.clear();
    changed.wake_all();
}

void FakeInput::write(std::string_view more)
{
    bytes += more;
    changed.wake_all();
}

void FakeInput::close()
{
    closed = true;
    changed.wake_all();
}

FakeProcess::FakeProcess(Setting setting, FakeBehaviour behaviour, Ended ended)
    : setting_(std::move(setting)), behaviour_(std::move(behaviour)), ended_(std::move(ended))
{
}

void FakeProcess::begin()
{
    running_ = true;
    const bool reads = behaviour_.waits_for_stdin || behaviour_.echoes_stdin;
    if (!reads && behaviour_.says.empty() && (behaviour_.never_ends || behaviour_.runs_for.count() == 0)) {
        // Needs no coroutine of its own.
        say(Stream::out, behaviour_.output);
        say(Stream::err, behaviour_.error_output);
        if (!behaviour_.never_ends)
            end(behaviour_.exit_code, true);
        return;
    }
    spawn(live(shared_from_this()));
}

awaitable<void> FakeProcess::live(std::shared_ptr<FakeProcess> self)
{
    co_await self->read_input();
    if (self->behaviour_.waits_for_stdin && self->setting_.input->bytes.empty()) {
        self->life_.reset();
        self->end(1, true);
        co_return;
    }
    const auto begun = self->setting_.clock->now();
    self->say(Stream::out, self->behaviour_.output);
    self->say(Stream::err, self->behaviour_.error_output);
    co_await self->say_the_rest(begun);
    if (self->behaviour_.never_ends)
        co_return;
    if (self->behaviour_.runs_for.count() > 0)
        co_await self->setting_.clock->sleep_until(begun + self->behaviour_.runs_for);
    self->life_.reset();
    self->end(self->behaviour_.exit_code, true);
}

awaitable<void> FakeProcess::read_input()
{
    if (!behaviour_.waits_for_stdin && !behaviour_.echoes_stdin)
        co_return;
    for (std::size_t read = 0;;) {
        if (behaviour_.echoes_stdin) {
            say(Stream::out, setting_.input->bytes.substr(read));
            read = setting_.input->bytes.size();
        }
        if (setting_.input->closed)
            co_return;
        co_await setting_.input->changed.wait();
    }
}

awaitable<void> FakeProcess::say_the_rest(Clock::time_point begun)
{
    for (const auto& piece : behaviour_.says) {
        if (!behaviour_.never_ends && piece.after > behaviour_.runs_for)
            co_return;
        if (piece.after.count() > 0)
            co_await setting_.clock->sleep_until(begun + piece.after);
        say(piece.stream, piece.bytes);
    }
}

void FakeProcess::say(Stream stream, const std::string& bytes)
{
    if (setting_.pipe)
        setting_.pipe->write(setting_.tty ? Stream::out : stream, bytes);
}

void FakeProcess::spawn(awaitable<void> life)
{
    // A signal of its own for each coroutine: the last one may still be unwinding.
    const auto cancel = std::make_shared<asio::cancellation_signal>();
    life_ = cancel;
    asio::co_spawn(setting_.executor, std::move(life),
                   asio::bind_cancellation_slot(cancel->slot(), [cancel](std::exception_ptr failure) {
                       if (failure && !is_cancellation(failure))
                           std::rethrow_exception(failure);
                   }));
}

awaitable<void> FakeProcess::stop_later(std::shared_ptr<FakeProcess> self, int exit_code)
{
    co_await self->setting_.clock->sleep_for(self->behaviour_.stops_within);
    self->life_.reset();
    self->end(exit_code, false);
}

void FakeProcess::signal(int number)
{
    if (!running_)
        return;
    if (number == SIGKILL)
        return end(128 + SIGKILL, false);
    const bool harmless = number == 0 || number == SIGCHLD || number == SIGCONT || number == SIGWINCH ||
                          number == SIGURG || number == SIGSTOP || number == SIGTSTP;
    if (harmless || stopping_ || behaviour_.ignores_signals)
        return;
    const int exit_code = behaviour_.exit_code_on_signal.value_or(128 + number);
    if (behaviour_.stops_within.count() == 0)
        return end(exit_code, false);
    stopping_ = true;
    end_life();
    spawn(stop_later(shared_from_this(), exit_code));
}

void FakeProcess::abandon()
{
    running_ = false;
    end_life();
}

void FakeProcess::end(int exit_code, bool by_itself)
{
    running_ = false;
    exit_code_ = exit_code;
    end_life();
    if (setting_.pipe)
        setting_.pipe->close();
    ended_(exit_code, by_itself);
}

void FakeProcess::end_life()
{
    if (const auto life = std::exchange(life_, nullptr))
        life->emit(asio::cancellation_type::terminal);
}

int signal_number(const std::string& signal)
{
    struct Name {
        const char* name;
        int number;
    };
    static constexpr std::array<Name, 16> k_names{{{"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT},
                                                   {"ABRT", SIGABRT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
                                                   {"SEGV", SIGSEGV}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},
                                                   {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"CHLD", SIGCHLD},
                                                   {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"URG", SIGURG},
                                                   {"WINCH", SIGWINCH}}};
    const auto plain = signal.starts_with("SIG") ? signal.substr(3) : signal;
    for (const auto& name : k_names)
        if (plain == name.name || plain == std::to_string(name.number))
            return name.number;
    throw Error(Errc::bad_input, "fake engine: unknown signal " + signal);
}

} // namespace gantry::engine
