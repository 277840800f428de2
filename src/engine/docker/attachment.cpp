#include "engine/docker/attachment.hpp"

#include "engine/docker/demux.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gantry::engine::docker {

namespace {

constexpr std::size_t k_buffer_bytes = 128 * 1024;
constexpr auto k_call_limit = 30s;
constexpr auto k_exit_code_limit = 10s;

awaitable<void> hand_on(Demultiplexer& demultiplexer, std::string_view input, OutputSink& sink)
{
    demultiplexer.feed(input);
    while (const auto piece = demultiplexer.next())
        co_await sink.write(piece->stream, piece->bytes);
}

// `Base` is Attachment or ExecSession.
template <typename Base>
class StreamOver : public Base {
public:
    StreamOver(std::shared_ptr<Api> api, RawStream stream) : api_(std::move(api)), stream_(std::move(stream)) {}

    awaitable<void> read_all(OutputSink& sink) override
    {
        const auto buffer = std::unique_ptr<char[]>(new char[k_buffer_bytes]);
        Demultiplexer demultiplexer;
        std::string_view input = stream_.already_read;
        for (;;) {
            if (!input.empty() && stream_.tty)
                co_await sink.write(Stream::out, input);
            else if (!input.empty())
                co_await hand_on(demultiplexer, input, sink);
            const auto count = co_await stream_.connection->read_some(buffer.get(), k_buffer_bytes);
            if (count == 0)
                break;
            input = std::string_view(buffer.get(), count);
        }
        stream_.already_read.clear();
        if (!demultiplexer.at_border())
            throw Error(Errc::unavailable, "the container engine closed the output stream in the middle");
        // A daemon that was killed ends its streams just as a container does.
        co_await api_->ping();
    }

    awaitable<void> write(std::string_view bytes) override { return stream_.connection->write(bytes); }
    awaitable<void> close_stdin() override { return stream_.connection->close_write(); }

    awaitable<void> resize(int columns, int rows) override
    {
        const Request request("POST", fmt::format("{}?w={}&h={}", stream_.resize_path, columns, rows));
        co_await api_->send(request, k_call_limit);
    }

protected:
    std::shared_ptr<Api> api_;

private:
    RawStream stream_;
};

class DockerExec final : public StreamOver<ExecSession> {
public:
    DockerExec(std::shared_ptr<Api> api, RawStream stream, std::string id)
        : StreamOver(std::move(api), std::move(stream)), id_(std::move(id))
    {
    }

    awaitable<int> exit_code() override
    {
        return with_deadline(k_exit_code_limit, "exit code of an exec", ask_exit_code());
    }

private:
    // The stream ends a moment before the daemon has learned the exit code.
    awaitable<int> ask_exit_code()
    {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        for (std::chrono::nanoseconds pause = 2ms;; pause = std::min<std::chrono::nanoseconds>(pause * 2, 200ms)) {
            const Request request("GET", "/exec/" + encode_path(id_) + "/json");
            const auto answer = co_await api_->json(request, k_call_limit);
            if (!flag_field(answer, "Running") && !field(answer, "ExitCode").is_null())
                co_return static_cast<int>(number_field(answer, "ExitCode"));
            timer.expires_after(pause);
            co_await timer.async_wait(use_awaitable);
        }
    }

    std::string id_;
};

} // namespace

RawStream take_stream(Exchange& exchange, bool tty, std::string resize_path)
{
    auto [connection, already_read] = exchange.take_connection();
    RawStream stream;
    stream.connection = std::move(connection);
    stream.already_read = std::move(already_read);
    stream.tty = tty;
    stream.resize_path = std::move(resize_path);
    return stream;
}

std::unique_ptr<Attachment> make_attachment(std::shared_ptr<Api> api, RawStream stream)
{
    return std::make_unique<StreamOver<Attachment>>(std::move(api), std::move(stream));
}

std::unique_ptr<ExecSession> make_exec_session(std::shared_ptr<Api> api, RawStream stream, std::string exec_id)
{
    return std::make_unique<DockerExec>(std::move(api), std::move(stream), std::move(exec_id));
}

} // namespace gantry::engine::docker
