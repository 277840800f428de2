#include "app/terminal.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <sys/ioctl.h>
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
        const int fd = stream == engine::Stream::out ? STDOUT_FILENO : STDERR_FILENO;
        while (!bytes.empty()) {
            const auto count = ::write(fd, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                co_return;
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
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
    asio::posix::stream_descriptor keys(co_await asio::this_coro::executor, ::dup(STDIN_FILENO));
    std::array<char, 4096> buffer;
    for (;;) {
        boost::system::error_code ended;
        const auto count = co_await keys.async_read_some(asio::buffer(buffer), asio::redirect_error(use_awaitable, ended));
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
    co_await helpers.close();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace gantry::app
