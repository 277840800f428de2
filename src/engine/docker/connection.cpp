#include "engine/docker/connection.hpp"

#include "base/format.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace gantry::engine::docker {

namespace {

using Socket = asio::generic::stream_protocol::socket;
using boost::system::error_code;

constexpr auto k_connect_limit = 10s;

// Cancellation stays what it is; everything else means that the daemon is gone.
void check_io(const error_code& error, std::string_view doing)
{
    if (!error)
        return;
    if (error == asio::error::operation_aborted)
        throw boost::system::system_error(error);
    throw Error(Errc::unavailable, fmt::format("{} the container engine: {}", doing, error.message()));
}

class PlainConnection final : public Connection {
public:
    explicit PlainConnection(Socket socket) : socket_(std::move(socket)) {}

    awaitable<std::size_t> read_some(char* into, std::size_t size_bytes) override
    {
        auto [error, count] =
            co_await socket_.async_read_some(asio::buffer(into, size_bytes), asio::as_tuple(use_awaitable));
        if (error == asio::error::eof)
            co_return 0;
        check_io(error, "lost the connection to");
        co_return count;
    }

    awaitable<void> write(std::string_view bytes) override
    {
        auto [error, count] =
            co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), asio::as_tuple(use_awaitable));
        written_bytes_ += count;
        check_io(error, "lost the connection to");
    }

    awaitable<void> close_write() override
    {
        error_code ignored; // the other side may be gone already: reading tells
        socket_.shutdown(Socket::shutdown_send, ignored);
        co_return;
    }

    bool stale() override
    {
        char byte = 0;
        const auto count = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    }

    std::uint64_t written_bytes() const override { return written_bytes_; }

private:
    Socket socket_;
    std::uint64_t written_bytes_ = 0;
};

std::string hint_for(const Address& address, const error_code& error)
{
    if (error == boost::system::errc::permission_denied)
        return "you are not in the group 'docker': sudo usermod -aG docker \"$USER\", then sign in again";
    if (address.path.empty())
        return "see that its daemon runs and listens there: --engine-host, DOCKER_HOST or the Docker context names the place";
    if (address.path.find("podman") != std::string::npos)
        return "start it: systemctl --user start podman.socket";
    return "start it: sudo systemctl start docker";
}

[[noreturn]] void throw_connect_error(const DockerEndpoint& endpoint, const Address& address, const error_code& error)
{
    if (error == asio::error::operation_aborted)
        throw boost::system::system_error(error);
    auto reason = to_lower(error.message());
    throw Error(Errc::unavailable, fmt::format("cannot reach Docker at {}: {}", endpoint.url, reason),
                hint_for(address, error));
}

// A daemon on another machine may vanish without a word: then an idle stream ends after about a minute.
void set_tcp_options(int descriptor)
{
    const auto set = [descriptor](int level, int name, int value) {
        ::setsockopt(descriptor, level, name, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

// Blocking; runs on the pool, since Asio's resolver would start a thread of its own.
std::vector<asio::ip::tcp::endpoint> resolve(const std::string& host, const std::string& port)
{
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found);
    if (failure != 0)
        throw Error(Errc::unavailable, fmt::format("{}: {}", host, ::gai_strerror(failure)));
    std::vector<asio::ip::tcp::endpoint> endpoints;
    for (const auto* item = found; item != nullptr; item = item->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (item->ai_addrlen > endpoint.capacity())
            continue;
        std::copy_n(reinterpret_cast<const char*>(item->ai_addr), item->ai_addrlen,
                    reinterpret_cast<char*>(endpoint.data()));
        endpoints.push_back(endpoint);
    }
    ::freeaddrinfo(found);
    return endpoints;
}

awaitable<std::vector<asio::ip::tcp::endpoint>> find_addresses(asio::thread_pool& pool, const Address& address)
{
    error_code not_numeric;
    const auto ip = asio::ip::make_address(address.host, not_numeric);
    if (!not_numeric)
        co_return std::vector<asio::ip::tcp::endpoint>{
            asio::ip::tcp::endpoint(ip, static_cast<std::uint16_t>(std::stoul(address.port)))};
    auto work = [host = address.host, port = address.port] { return resolve(host, port); };
    co_return co_await on_pool(pool, std::move(work));
}

bool is_port(const std::string& text)
{
    return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos &&
           std::stoul(text) <= 65535;
}

} // namespace

Address parse_address(const DockerEndpoint& endpoint)
{
    const auto& url = endpoint.url;
    const auto colon = url.find("://");
    const auto bad = [&](std::string_view why) {
        return Error(Errc::bad_input, fmt::format("{}: '{}' {}", endpoint.source, url, why),
                     "write unix:///path/to/docker.sock or tcp://host:port");
    };
    if (colon == std::string::npos)
        throw bad("is not the address of a container engine");
    const auto scheme = url.substr(0, colon);
    auto rest = url.substr(colon + 3);
    Address address;
    if (scheme == "unix") {
        if (rest.empty() || rest[0] != '/')
            throw bad("needs an absolute path");
        address.path = rest;
        return address;
    }
    if (scheme == "ssh" || scheme == "npipe" || scheme == "fd")
        throw Error(Errc::unsupported, fmt::format("{}: {}:// is not supported", endpoint.source, scheme),
                    "forward its socket: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, then "
                    "--engine-host unix:///tmp/docker.sock");
    if (scheme != "tcp" && scheme != "http" && scheme != "https")
        throw bad("is not the address of a container engine");
    address.tls = endpoint.tls || scheme == "https";
    rest = rest.substr(0, rest.find('/'));
    address.port = address.tls ? "2376" : "2375";
    const auto bracket = rest.rfind(']');
    const auto port_at = rest.rfind(':');
    if (port_at != std::string::npos && (bracket == std::string::npos || port_at > bracket)) {
        address.port = rest.substr(port_at + 1);
        rest.resize(port_at);
    }
    if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']')
        rest = rest.substr(1, rest.size() - 2);
    address.host = rest;
    if (address.host.empty() || !is_port(address.port))
        throw bad("needs a host and a port");
    return address;
}

Connector::Connector(DockerEndpoint endpoint, asio::thread_pool& pool)
    : endpoint_(std::move(endpoint)), pool_(pool), address_(parse_address(endpoint_))
{
}

Connector::~Connector() = default;

std::string Connector::host_header() const
{
    if (local())
        return "docker";
    const bool ipv6 = address_.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", address_.host, ipv6 ? "]" : "", address_.port);
}

awaitable<std::unique_ptr<Connection>> Connector::connect()
{
    auto what = "connect to " + endpoint_.url;
    if (local())
        co_return co_await with_deadline(k_connect_limit, std::move(what), connect_unix());
    co_return co_await with_deadline(k_connect_limit, std::move(what), connect_tcp());
}

awaitable<std::unique_ptr<Connection>> Connector::connect_unix()
{
    asio::local::stream_protocol::endpoint place;
    try {
        place.path(address_.path);
    } catch (const boost::system::system_error& error) {
        throw Error(Errc::bad_input, fmt::format("{}: {}", endpoint_.url, error.code().message()));
    }
    asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
    for (std::chrono::nanoseconds pause = 2ms;; pause = std::min<std::chrono::nanoseconds>(2 * pause, 200ms)) {
        auto [error] = co_await socket.async_connect(place, asio::as_tuple(use_awaitable));
        if (!error)
            break;
        // The listener's queue is full: it drains at once unless the daemon hangs.
        if (error != asio::error::try_again)
            throw_connect_error(endpoint_, address_, error);
        socket.close();
        asio::steady_timer timer(co_await asio::this_coro::executor, pause);
        co_await timer.async_wait(use_awaitable);
    }
    co_return std::make_unique<PlainConnection>(Socket(std::move(socket)));
}

awaitable<std::unique_ptr<Connection>> Connector::connect_tcp()
{
    if (address_.tls && !tls_)
        tls_ = make_tls_context(endpoint_);
    std::vector<asio::ip::tcp::endpoint> places;
    try {
        places = co_await find_addresses(pool_, address_);
    } catch (Error& error) {
        error.add_context("cannot reach Docker at " + endpoint_.url);
        throw;
    }
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    auto [error, used] = co_await asio::async_connect(socket, places, asio::as_tuple(use_awaitable));
    if (error)
        throw_connect_error(endpoint_, address_, error);
    set_tcp_options(socket.native_handle());
    std::unique_ptr<Connection> connection = std::make_unique<PlainConnection>(Socket(std::move(socket)));
    if (address_.tls)
        connection = co_await start_tls(tls_, std::move(connection), address_.host);
    co_return connection;
}

} // namespace gantry::engine::docker
