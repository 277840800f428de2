#pragma once

#include "engine/docker/connection.hpp"
#include "engine/engine.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP/1.1 (RFC 9112) as a client, over the connections of one Connector: kept open, used again, bounded.

namespace gantry::engine::docker {

// Everything but unreserved characters as %XX (RFC 3986); in a path '/' and ':' and '@' stay.
std::string encode_query(std::string_view text);
std::string encode_path(std::string_view text);

struct Request {
    explicit Request(std::string method_in, std::string target_in)
        : method(std::move(method_in)), target(std::move(target_in))
    {
    }

    std::string method;
    std::string target; // with its query, already encoded
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    ReadPiece stream;     // the body in pieces, instead of `body`
    bool upgrade = false; // asks for the raw connection ("Upgrade: tcp")
    bool fresh = false;   // over a connection of its own: one that is kept may lead to a daemon that takes no more

    // True if it may be sent twice.
    bool repeatable() const { return !stream && (method == "GET" || method == "HEAD" || method == "DELETE"); }
};

class ConnectionPool;

// An answer whose header has been read. The connection goes back to the pool with the last byte of the body, and is
// closed when this is destroyed before.
class Exchange {
public:
    // `has_body` is false for the answer to a HEAD, whatever length it tells (RFC 9110, 9.3.2).
    Exchange(std::unique_ptr<Connection> connection, std::shared_ptr<ConnectionPool> pool, bool has_body);
    ~Exchange();
    Exchange(const Exchange&) = delete;

    awaitable<void> read_header();

    int status() const;
    // Of the answer, in any case; empty: it has none of that name.
    std::string header(std::string_view name) const;

    // The next bytes of the body; empty at its end. Throws unavailable when the connection breaks before.
    awaitable<std::string> read();
    // The rest of the body. Throws internal when it is longer than the limit.
    awaitable<std::string> read_all(std::size_t limit_bytes);
    // The raw connection after an upgrade, and what has already been read from it.
    std::pair<std::unique_ptr<Connection>, std::string> take_connection();

private:
    struct Parser;
    awaitable<void> read_more();

    std::unique_ptr<Connection> connection_;
    std::shared_ptr<ConnectionPool> pool_;
    std::unique_ptr<Parser> parser_;
};

class HttpClient {
public:
    explicit HttpClient(std::unique_ptr<Connector> connector);
    ~HttpClient();

    // Sends a request and reads the header of its answer. A connection that died while it was idle is replaced once, if
    // the request may be repeated or nothing of it had left. Throws unavailable.
    awaitable<std::unique_ptr<Exchange>> open(const Request& request);

    const Connector& connector() const { return *connector_; }

private:
    awaitable<std::unique_ptr<Exchange>> send(std::unique_ptr<Connection> connection, const Request& request,
                                              bool& untouched);

    std::unique_ptr<Connector> connector_;
    std::shared_ptr<ConnectionPool> pool_;
};

} // namespace gantry::engine::docker
