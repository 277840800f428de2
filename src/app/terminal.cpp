#include "app/terminal.hpp"

#include "app/context.hpp"
#include "app/interrupt.hpp"
#include "app/view/output.hpp"
#include "base/file.hpp"
#include "runner/secret_store.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>

#include <array>
#include <csignal>
#include <memory>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace gantry::app {

namespace {

class RawTerminal {
public:
    explicit RawTerminal(bool wanted) : active_(wanted && ::tcgetattr(STDIN_FILENO, &before_) == 0)
    {
        if (!active_)
            return;
        auto raw = before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~RawTerminal()
    {
        if (active_)
            ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;

private:
    termios before_{};
    bool active_;
};

class Screen final : public engine::OutputSink {
public:
    awaitable<void> write(engine::Stream stream, std::string_view bytes) override
    {
        (stream == engine::Stream::out ? out_ : err_)->write(bytes);
        co_return;
    }

private:
    std::unique_ptr<Output> out_ = make_fd_output(STDOUT_FILENO), err_ = make_fd_output(STDERR_FILENO);
};

// Standard input, opened once more; nothing where that cannot be done, or would begin at another place.
Fd reopen_input()
{
    constexpr int k_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat info {};
    if (::fstat(STDIN_FILENO, &info) != 0 || !(S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode)))
        return {};
    Fd input(::open("/proc/self/fd/0", k_flags));
    if (!input && ::isatty(STDIN_FILENO)) // after su(1) it is another user's
        input = Fd(::open("/dev/tty", k_flags));
    return input;
}

// Standard input for Asio, which makes what it waits for non-blocking. That is a flag of the open file and not of our
// descriptor: standard output and the shell that started us have it as well. What cannot be opened once more gets it back.
class Keys {
public:
    explicit Keys(const asio::any_io_executor& executor) : stream(executor)
    {
        auto input = reopen_input();
        if (!input) {
            input = Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
            shared_flags_ = ::fcntl(STDIN_FILENO, F_GETFL);
        }
        stream.assign(input.release());
    }
    Keys(const Keys&) = delete;
    ~Keys()
    {
        if (shared_flags_ >= 0)
            ::fcntl(STDIN_FILENO, F_SETFL, shared_flags_);
    }

    asio::posix::stream_descriptor stream;

private:
    int shared_flags_ = -1;
};

awaitable<void> send_size(engine::Attachment& attachment)
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        co_await attachment.resize(size.ws_col, size.ws_row);
}

awaitable<void> follow_size(engine::Attachment& attachment)
{
    asio::signal_set resized(co_await asio::this_coro::executor, SIGWINCH);
    for (;;) {
        co_await send_size(attachment);
        co_await resized.async_wait(use_awaitable);
    }
}

awaitable<void> pass_keys(engine::Attachment& attachment)
{
    const auto executor = co_await asio::this_coro::executor;
    Keys keys(executor);
    std::array<char, 4096> buffer;
    for (;;) {
        boost::system::error_code ended;
        const auto count = co_await keys.stream.async_read_some(asio::buffer(buffer), asio::redirect_error(use_awaitable, ended));
        if (ended || count == 0)
            break;
        co_await attachment.write(std::string_view(buffer.data(), count));
    }
    co_await attachment.close_stdin();
}

} // namespace

bool terminal_is_there()
{
    return ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
}

awaitable<void> talk(engine::Attachment& attachment, bool raw)
{
    const RawTerminal terminal(raw);
    TaskGroup helpers(co_await asio::this_coro::executor);
    helpers.spawn([&attachment] { return pass_keys(attachment); });
    if (raw)
        helpers.spawn([&attachment] { return follow_size(attachment); });
    Screen screen;
    std::exception_ptr failure;
    try {
        co_await attachment.read_all(screen);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await ignore_cancellation();
    co_await helpers.close();
    if (failure)
        std::rethrow_exception(failure);
}

Answer ask_for_secret(Context& context, const std::string& name)
{
    Answer answer;
    const auto ask = [&]() -> awaitable<void> { answer.value = co_await runner::prompt_secret(name); };
    context.run([&]() -> awaitable<void> { answer.signal = co_await until_interrupted(ask()); });
    return answer;
}

} // namespace gantry::app
