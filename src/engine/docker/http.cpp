#include "engine/docker/http.hpp"

#include "base/format.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace gantry::engine::docker {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::size_t k_read_bytes = 64 * 1024;
constexpr std::uint32_t k_header_limit_bytes = 64 * 1024;
constexpr std::size_t k_idle_connections = 16;
// A streamed body takes as long as its sender wants; each piece of it, and the answer after the last one, do not.
constexpr auto k_piece_limit = 60s;
constexpr auto k_streamed_answer_limit = 600s;

// A body that is handed on piece by piece. Unlike Beast's string_body it reserves nothing ahead, whatever length the
// other side announces.
struct PieceBody {
    using value_type = std::string;
    class reader {
    public:
        template <bool is_request, typename Fields>
        reader(http::header<is_request, Fields>&, value_type& pieces) : pieces_(pieces)
        {
        }
        void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
        template <typename Buffers>
        std::size_t put(const Buffers& buffers, error_code& error)
        {
            error = {};
            const auto size = asio::buffer_size(buffers);
            const auto used = pieces_.size();
            pieces_.resize(used + size);
            return asio::buffer_copy(asio::buffer(pieces_.data() + used, size), buffers);
        }
        void finish(error_code& error) { error = {}; }

    private:
        value_type& pieces_;
    };
};

std::string encode(std::string_view text, std::string_view kept)
{
    static constexpr char k_hex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char raw : text) {
        const auto byte = static_cast<unsigned char>(raw);
        const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                           kept.find(raw) != std::string_view::npos;
        if (plain) {
            encoded += raw;
        } else {
            encoded += '%';
            encoded += k_hex[byte >> 4];
            encoded += k_hex[byte & 15];
        }
    }
    return encoded;
}

std::string head_of(const Request& request, const std::string& host)
{
    auto head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gantry\r\n", request.method, request.target, host);
    for (const auto& [name, value] : request.headers)
        head += fmt::format("{}: {}\r\n", name, value);
    if (request.upgrade)
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    if (request.stream)
        head += fmt::format("Content-Type: {}\r\nTransfer-Encoding: chunked\r\n", request.content_type);
    else if (!request.body.empty())
        head += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.content_type, request.body.size());
    else if (request.method == "POST" || request.method == "PUT")
        head += "Content-Length: 0\r\n";
    return head + "\r\n";
}

// A failure of the one who gives the pieces is also left in `source_failure`.
awaitable<void> send_pieces(Connection& connection, const ReadPiece& next, std::exception_ptr& source_failure)
{
    for (;;) {
        std::string piece;
        try {
            piece = co_await next();
        } catch (...) {
            source_failure = std::current_exception();
            throw;
        }
        std::string chunk = fmt::format("{:x}\r\n", piece.size());
        chunk += piece;
        chunk += "\r\n";
        co_await with_deadline(k_piece_limit, "send to the container engine", connection.write(chunk));
        if (piece.empty())
            co_return;
    }
}

} // namespace

std::string encode_query(std::string_view text)
{
    return encode(text, "-._~");
}

std::string encode_path(std::string_view text)
{
    return encode(text, "-._~/:@");
}

// The connections that nobody uses right now, the latest last.
class ConnectionPool {
public:
    std::unique_ptr<Connection> take()
    {
        while (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            if (!connection->stale())
                return connection;
        }
        return nullptr;
    }

    void give(std::unique_ptr<Connection> connection)
    {
        if (idle_.size() >= k_idle_connections)
            idle_.erase(idle_.begin());
        idle_.push_back(std::move(connection));
    }

private:
    std::vector<std::unique_ptr<Connection>> idle_;
};

struct Exchange::Parser {
    http::response_parser<PieceBody> response;
    boost::beast::flat_buffer buffer;
};

Exchange::Exchange(std::unique_ptr<Connection> connection, std::shared_ptr<ConnectionPool> pool, bool has_body)
    : connection_(std::move(connection)), pool_(std::move(pool)), parser_(std::make_unique<Parser>())
{
    parser_->response.header_limit(k_header_limit_bytes);
    parser_->response.body_limit(boost::none);
    parser_->response.skip(!has_body);
}

Exchange::~Exchange() = default;

int Exchange::status() const
{
    return static_cast<int>(parser_->response.get().result_int());
}

std::string Exchange::header(std::string_view name) const
{
    const auto value = parser_->response.get()[boost::beast::string_view(name.data(), name.size())];
    return std::string(value.data(), value.size());
}

// Feeds the parser with what is there, and with one more read if that is not enough.
awaitable<void> Exchange::read_more()
{
    auto& response = parser_->response;
    auto& buffer = parser_->buffer;
    const auto feed = [&] {
        error_code error;
        if (buffer.size() == 0)
            return;
        buffer.consume(response.put(buffer.data(), error));
        if (error && error != http::error::need_more)
            throw Error(Errc::unavailable, fmt::format("cannot read the engine's answer: {}", error.message()));
    };
    const auto before = buffer.size();
    feed();
    if (response.is_done() || buffer.size() < before)
        co_return;
    // What the parser leaves is the line of a chunk or of a trailer that has no end yet.
    if (buffer.size() > k_header_limit_bytes)
        throw Error(Errc::unavailable, "cannot read the engine's answer: a line of it has no end");
    const auto space = buffer.prepare(k_read_bytes);
    const auto count = co_await connection_->read_some(static_cast<char*>(space.data()), space.size());
    buffer.commit(count);
    if (count == 0) {
        error_code error;
        if (response.is_header_done() || response.got_some())
            response.put_eof(error);
        if (error || !response.is_done())
            throw Error(Errc::unavailable, "the container engine closed the connection in the middle of an answer");
        co_return;
    }
    feed();
}

awaitable<void> Exchange::read_header()
{
    while (!parser_->response.is_header_done())
        co_await read_more();
    parser_->response.eager(true);
}

awaitable<std::string> Exchange::read()
{
    auto& response = parser_->response;
    while (response.get().body().empty() && !response.is_done())
        co_await read_more();
    std::string piece;
    piece.swap(response.get().body());
    if (response.is_done() && connection_ && response.keep_alive() && parser_->buffer.size() == 0)
        pool_->give(std::move(connection_));
    co_return piece;
}

awaitable<std::string> Exchange::read_all(std::size_t limit_bytes)
{
    std::string text;
    for (;;) {
        const std::string piece = co_await read();
        if (piece.empty())
            co_return text;
        if (text.size() + piece.size() > limit_bytes)
            throw Error(Errc::internal, "the engine's answer is longer than " + format_memory(limit_bytes));
        text += piece;
    }
}

std::pair<std::unique_ptr<Connection>, std::string> Exchange::take_connection()
{
    const auto data = parser_->buffer.data();
    return {std::move(connection_), std::string(static_cast<const char*>(data.data()), data.size())};
}

HttpClient::HttpClient(std::unique_ptr<Connector> connector)
    : connector_(std::move(connector)), pool_(std::make_shared<ConnectionPool>())
{
}

HttpClient::~HttpClient() = default;

awaitable<std::unique_ptr<Exchange>> HttpClient::open(const Request& request)
{
    if (auto kept = request.fresh ? nullptr : pool_->take()) {
        bool untouched = false;
        try {
            co_return co_await send(std::move(kept), request, untouched);
        } catch (const Error& error) {
            if (error.code() != Errc::unavailable || !(untouched || request.repeatable()))
                throw;
        }
    }
    auto fresh = co_await connector_->connect();
    bool untouched = false;
    co_return co_await send(std::move(fresh), request, untouched);
}

// `untouched` becomes true when it failed before a single byte had left.
awaitable<std::unique_ptr<Exchange>> HttpClient::send(std::unique_ptr<Connection> connection, const Request& request,
                                                      bool& untouched)
{
    auto& stream = *connection;
    const auto written_before = stream.written_bytes();
    auto exchange = std::make_unique<Exchange>(std::move(connection), pool_, request.method != "HEAD");
    const std::string head = head_of(request, connector_->host_header()) + request.body;
    std::exception_ptr broken, source_failure;
    try {
        co_await with_deadline(k_piece_limit, "send to the container engine", stream.write(head));
        if (request.stream)
            co_await send_pieces(stream, request.stream, source_failure);
    } catch (const Error& error) {
        if (error.code() != Errc::unavailable || source_failure)
            throw;
        untouched = stream.written_bytes() == written_before;
        if (untouched)
            throw;
        broken = std::current_exception();
    }
    // A daemon may refuse a body before it has read all of it: then its answer says more than the broken pipe.
    try {
        if (request.stream)
            co_await with_deadline(k_streamed_answer_limit, "the container engine's answer", exchange->read_header());
        else
            co_await exchange->read_header();
    } catch (const Error&) {
        if (broken)
            std::rethrow_exception(broken);
        throw;
    }
    co_return exchange;
}

} // namespace gantry::engine::docker
