#include "support/catch.hpp"

#include "app/terminal.hpp"
#include "base/file.hpp"
#include "base/run_on_loop.hpp"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

using namespace gantry;

namespace {

// Stands for a standard stream until the object goes away.
class InsteadOf {
public:
    InsteadOf(int standard, const Fd& other) : standard_(standard), saved_(::fcntl(standard, F_DUPFD_CLOEXEC, 0))
    {
        if (saved_.get() < 0 || ::dup2(other.get(), standard) < 0)
            throw std::runtime_error("cannot replace a stream");
    }
    InsteadOf(const InsteadOf&) = delete;
    ~InsteadOf() { ::dup2(saved_.get(), standard_); }

private:
    int standard_;
    Fd saved_;
};

struct Ends {
    Fd theirs, ours;
};

Ends pseudo_terminal()
{
    Ends ends;
    ends.theirs = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 64> name{};
    REQUIRE(::grantpt(ends.theirs.get()) == 0);
    REQUIRE(::unlockpt(ends.theirs.get()) == 0);
    REQUIRE(::ptsname_r(ends.theirs.get(), name.data(), name.size()) == 0);
    ends.ours = Fd(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(ends.ours);
    return ends;
}

Ends pipe_between()
{
    int both[2];
    REQUIRE(::pipe2(both, O_CLOEXEC) == 0);
    return {Fd(both[1]), Fd(both[0])};
}

Ends sockets()
{
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    return {Fd(both[1]), Fd(both[0])};
}

bool is_non_blocking(const Fd& file) { return (::fcntl(file.get(), F_GETFL) & O_NONBLOCK) != 0; }

// A container that ends with its input, or with a line of it, and says `output` before.
class Container final : public engine::Attachment {
public:
    explicit Container(asio::any_io_executor executor) : ended_(std::move(executor)) {}

    awaitable<void> read_all(engine::OutputSink& sink) override
    {
        co_await sink.write(engine::Stream::out, output);
        co_await ended_.wait_until([this] { return at_end || got.find('\n') != std::string::npos; });
    }
    awaitable<void> write(std::string_view bytes) override
    {
        got += bytes;
        ended_.notify_all();
        co_return;
    }
    awaitable<void> close_stdin() override
    {
        at_end = true;
        ended_.notify_all();
        co_return;
    }
    awaitable<void> resize(int, int) override { co_return; }

    std::string output, got;
    bool at_end = false;

private:
    Signal ended_;
};

} // namespace

TEST_CASE("keys reach the container, and the terminal is as it was while it is used and after", "[terminal]")
{
    const auto terminal = pseudo_terminal();
    termios before{}, after{};
    REQUIRE(::tcgetattr(terminal.ours.get(), &before) == 0);
    asio::io_context loop;
    Container container(loop.get_executor());
    {
        const InsteadOf input(STDIN_FILENO, terminal.ours);
        write_all(terminal.theirs, "ls\n", "terminal");
        run_to_end(app::talk(container, true), loop);
    }
    CHECK(container.got == "ls\n");
    CHECK_FALSE(is_non_blocking(terminal.ours));
    REQUIRE(::tcgetattr(terminal.ours.get(), &after) == 0);
    CHECK(after.c_lflag == before.c_lflag);
    CHECK(after.c_oflag == before.c_oflag);
}

TEST_CASE("whoever shares standard input gets it back as it was", "[terminal]")
{
    auto shared = GENERATE(as<Ends (*)()>(), pipe_between, sockets)();
    asio::io_context loop;
    Container container(loop.get_executor());
    {
        const InsteadOf input(STDIN_FILENO, shared.ours);
        write_all(shared.theirs, "words", "input");
        shared.theirs.reset();
        run_to_end(app::talk(container, false), loop);
    }
    CHECK(container.got == "words");
    CHECK(container.at_end);
    CHECK_FALSE(is_non_blocking(shared.ours));
}

TEST_CASE("an output that does not block gets all that the container says", "[terminal]")
{
    auto from = pipe_between();
    REQUIRE(::fcntl(from.theirs.get(), F_SETFL, O_NONBLOCK) == 0);
    const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::size_t read_bytes = 0;
    std::thread reader([&] {
        std::array<char, 4096> buffer;
        for (ssize_t count; (count = ::read(from.ours.get(), buffer.data(), buffer.size())) > 0;)
            read_bytes += static_cast<std::size_t>(count);
    });
    asio::io_context loop;
    Container container(loop.get_executor());
    container.output = std::string(4'000'000, 'x');
    {
        const InsteadOf input(STDIN_FILENO, nothing);
        const InsteadOf output(STDOUT_FILENO, from.theirs);
        run_to_end(app::talk(container, false), loop);
    }
    from.theirs.reset();
    reader.join();
    CHECK(read_bytes == container.output.size());
}
