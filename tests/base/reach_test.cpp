#include "base/reach.hpp"

#include "support/catch.hpp"
#include "support/run_to_end.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

using namespace gantry;
using namespace gantry::test;
using tcp = asio::ip::tcp;

namespace {

// Listens on loopback; answers each connection with these bytes, or never.
class Server {
public:
    explicit Server(asio::io_context& loop) : acceptor_(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    awaitable<void> answer(std::string bytes)
    {
        auto socket = co_await acceptor_.async_accept(use_awaitable);
        std::string request;
        co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", use_awaitable);
        received = request;
        try {
            co_await asio::async_write(socket, asio::buffer(bytes), use_awaitable);
        } catch (const boost::system::system_error&) {
            // Who asked has heard enough.
        }
    }
    awaitable<void> say_nothing()
    {
        held_.push_back(co_await acceptor_.async_accept(use_awaitable));
    }

    std::string received;

private:
    tcp::acceptor acceptor_;
    std::vector<tcp::socket> held_;
};

ReachAnswer get(const std::string& answer, std::string* received = nullptr)
{
    asio::io_context loop;
    ManualClock clock;
    Server server(loop);
    ReachAnswer result;
    const auto both_ends = [&]() -> awaitable<void> {
        auto look = [&]() -> awaitable<void> { result = co_await reach_http("127.0.0.1", server.port(), "/health", 10s); };
        co_await both(server.answer(answer), look());
    };
    run_to_end(loop, clock, both_ends());
    if (received)
        *received = server.received;
    return result;
}

} // namespace

TEST_CASE("a port is looked at by connecting to it", "[reach]")
{
    asio::io_context loop;
    ManualClock clock;
    std::uint16_t port = 0;
    {
        Server server(loop);
        port = server.port();
        CHECK(run_to_end(loop, clock, reach_tcp("127.0.0.1", port, 10s)).reach == Reach::answers);
    }
    const auto gone = run_to_end(loop, clock, reach_tcp("127.0.0.1", port, 10s));
    CHECK(gone.reach == Reach::refuses);
    CHECK(gone.said == "Connection refused");
    CHECK(run_to_end(loop, clock, reach_tcp("", port, 10s)).reach == Reach::unreachable);
    CHECK(run_to_end(loop, clock, reach_tcp("localhost", port, 10s)).reach == Reach::unreachable);
}

TEST_CASE("a page is there when it answers 2xx", "[reach]")
{
    std::string received;
    CHECK(get("HTTP/1.1 204 No Content\r\n\r\n", &received).reach == Reach::answers);
    CHECK(received.starts_with("GET /health HTTP/1.1\r\n"));
    CHECK(get("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello").reach == Reach::answers);
    const auto busy = get("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    CHECK(busy.reach == Reach::refuses);
    CHECK(busy.said == "HTTP 503");
    CHECK(get("HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n").reach == Reach::refuses);
    CHECK(get("SSH-2.0-server\r\n\r\n").reach == Reach::refuses);
    CHECK(get("").reach == Reach::refuses);
    CHECK(get("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n").reach == Reach::refuses);
}

TEST_CASE("a page that never comes is not there", "[reach]")
{
    asio::io_context loop;
    ManualClock clock;
    Server server(loop);
    ReachAnswer result;
    const auto both_ends = [&]() -> awaitable<void> {
        auto look = [&]() -> awaitable<void> { result = co_await reach_http("127.0.0.1", server.port(), "/", 50ms); };
        co_await both(server.say_nothing(), look());
    };
    run_to_end(loop, clock, both_ends());
    CHECK(result.reach == Reach::refuses);
}
