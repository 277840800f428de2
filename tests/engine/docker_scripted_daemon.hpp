#pragma once

#include "engine/docker_support.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace gantry::test {

// A daemon that answers by a script, on a unix socket: for what a real one does rarely.
class ScriptedDaemon {
public:
    struct Asked {
        std::string line; // "GET /v1.41/info"
        std::string head, body;
    };
    // The raw bytes of the answer; `close` ends the connection after them.
    struct Says {
        std::string bytes;
        bool close = false;
    };
    using Script = std::function<Says(const Asked&)>;

    ScriptedDaemon(RealLoop& loop, Script script)
        : loop_(loop), script_(std::move(script)),
          path_((std::filesystem::temp_directory_path() / ("gantry-scripted-" + random_hex(6) + ".sock")).string()),
          acceptor_(loop.io, asio::local::stream_protocol::endpoint(path_)), tasks_(loop.io.get_executor())
    {
        tasks_.spawn([this] { return accept(); });
    }

    ~ScriptedDaemon()
    {
        loop_.run(tasks_.close());
        std::filesystem::remove(path_);
    }

    engine::DockerOptions options() const
    {
        engine::DockerOptions options;
        options.host = "unix://" + path_;
        options.retry_delay = std::chrono::milliseconds(1);
        return options;
    }

    // How often a request whose line contains `part` came.
    int count(const std::string& part) const
    {
        int found = 0;
        for (const auto& one : asked)
            found += one.line.find(part) != std::string::npos;
        return found;
    }

    std::vector<Asked> asked;
    int connections = 0;

    static Says json(int status, const std::string& body, const std::string& reason = "X")
    {
        return {"HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body};
    }
    static Says version(const std::string& newest = "1.41", const std::string& oldest = "1.12")
    {
        return json(200, R"({"Version":"0.1","ApiVersion":")" + newest + R"(","MinAPIVersion":")" + oldest + R"(","Os":"linux"})");
    }

private:
    using Socket = asio::local::stream_protocol::socket;

    awaitable<void> accept()
    {
        for (;;) {
            auto socket = std::make_shared<Socket>(co_await acceptor_.async_accept(use_awaitable));
            ++connections;
            tasks_.spawn([this, socket] { return serve(*socket); });
        }
    }

    awaitable<bool> read_until(Socket& socket, std::string& text, std::function<bool()> enough)
    {
        std::array<char, 4096> piece;
        while (!enough()) {
            auto [error, count] = co_await socket.async_read_some(asio::buffer(piece), asio::as_tuple(use_awaitable));
            if (error)
                co_return false;
            text.append(piece.data(), count);
        }
        co_return true;
    }

    awaitable<void> serve(Socket& socket)
    {
        std::string text;
        for (;;) {
            std::function<bool()> whole_head = [&text] { return text.find("\r\n\r\n") != std::string::npos; };
            if (!co_await read_until(socket, text, whole_head))
                co_return;
            const auto head_end = text.find("\r\n\r\n") + 4;
            Asked one;
            one.head = text.substr(0, head_end);
            one.line = one.head.substr(0, one.head.find(" HTTP/1.1"));
            std::function<bool()> whole_body = [&text, &one, head_end] {
                if (one.head.find("Transfer-Encoding: chunked") != std::string::npos)
                    return text.ends_with("0\r\n\r\n");
                const auto at = one.head.find("Content-Length: ");
                return at == std::string::npos || text.size() >= head_end + std::stoul(one.head.substr(at + 16));
            };
            if (!co_await read_until(socket, text, whole_body))
                co_return;
            one.body = text.substr(head_end);
            text.clear();
            asked.push_back(one);
            const auto says = script_(one);
            co_await asio::async_write(socket, asio::buffer(says.bytes), use_awaitable);
            if (says.close)
                co_return;
        }
    }

    RealLoop& loop_;
    Script script_;
    std::string path_;
    asio::local::stream_protocol::acceptor acceptor_;
    TaskGroup tasks_;
};

// Answers GET /version, and the rest by `rest`.
inline ScriptedDaemon::Script after_version(ScriptedDaemon::Script rest)
{
    return [rest = std::move(rest)](const ScriptedDaemon::Asked& asked) {
        return asked.line == "GET /version" ? ScriptedDaemon::version() : rest(asked);
    };
}

// An engine on a daemon that answers by this, after its version.
struct ScriptedEngine {
    explicit ScriptedEngine(ScriptedDaemon::Script rest)
        : daemon(loop, after_version(std::move(rest))), engine(make_docker(loop.pool, daemon.options()))
    {
    }

    RealLoop loop;
    ScriptedDaemon daemon;
    std::unique_ptr<engine::Engine> engine;
};

// An answer whose body is one JSON message a line.
inline ScriptedDaemon::Says messages(const std::string& lines)
{
    return ScriptedDaemon::json(200, lines);
}

// The same without an end: the connection stays open, and nothing more comes.
inline ScriptedDaemon::Says unended(const std::vector<std::string>& messages)
{
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& message : messages)
        bytes += fmt::format("{:x}\r\n{}\n\r\n", message.size() + 1, message);
    return {bytes};
}

} // namespace gantry::test
