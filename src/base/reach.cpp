#include "base/reach.hpp"

#include "base/error.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace gantry {

namespace {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t k_max_answer_bytes = 64 * 1024;

using Talk = std::function<awaitable<void>(tcp::socket&, ReachAnswer&)>;

awaitable<void> visit(const std::string& address, std::uint16_t port, const Talk& talk, ReachAnswer& answer)
{
    boost::system::error_code problem;
    const auto where = asio::ip::make_address(address, problem);
    if (problem) {
        answer.said = "no address";
        co_return;
    }
    tcp::socket socket(co_await asio::this_coro::executor);
    try {
        const tcp::endpoint there(where, port);
        co_await socket.async_connect(there, use_awaitable);
        co_await talk(socket, answer);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;
        const bool gone = error.code() == asio::error::network_unreachable ||
                          error.code() == asio::error::host_unreachable || error.code() == asio::error::timed_out;
        answer.reach = gone ? Reach::unreachable : Reach::refuses;
        answer.said = error.code().message();
    }
}

awaitable<ReachAnswer> visit_for(const std::string& address, std::uint16_t port, const Talk& talk,
                                 std::chrono::nanoseconds limit)
{
    ReachAnswer answer;
    answer.said = "no answer";
    try {
        co_await with_deadline(limit, "probe", visit(address, port, talk, answer));
    } catch (const Error& error) {
        if (error.code() != Errc::timed_out)
            throw;
        // What had connected is there, and slow.
        if (answer.reach == Reach::answers)
            answer.reach = Reach::refuses;
    }
    co_return answer;
}

} // namespace

awaitable<ReachAnswer> reach_tcp(const std::string& address, std::uint16_t port, std::chrono::nanoseconds limit)
{
    const Talk talk = [](tcp::socket&, ReachAnswer& answer) -> awaitable<void> {
        answer.reach = Reach::answers;
        answer.said = "accepts connections";
        co_return;
    };
    co_return co_await visit_for(address, port, talk, limit);
}

awaitable<ReachAnswer> reach_http(const std::string& address, std::uint16_t port, const std::string& path,
                                  std::chrono::nanoseconds limit)
{
    const Talk talk = [&path, &address](tcp::socket& socket, ReachAnswer& answer) -> awaitable<void> {
        answer.reach = Reach::refuses;
        http::request<http::empty_body> request(http::verb::get, path, 11);
        request.set(http::field::host, address);
        request.set(http::field::connection, "close");
        request.set(http::field::accept, "*/*");
        co_await http::async_write(socket, request, use_awaitable);
        boost::beast::flat_buffer buffer(k_max_answer_bytes);
        http::response_parser<http::empty_body> parser;
        parser.skip(true); // its header is all that counts
        co_await http::async_read_header(socket, buffer, parser, use_awaitable);
        const int status = parser.get().result_int();
        answer.said = "HTTP " + std::to_string(status);
        if (status >= 200 && status < 300)
            answer.reach = Reach::answers;
    };
    co_return co_await visit_for(address, port, talk, limit);
}

} // namespace gantry
