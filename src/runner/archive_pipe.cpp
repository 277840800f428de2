#include "runner/archive_pipe.hpp"

#include <optional>
#include <utility>

namespace gantry::runner {

namespace {

// One piece at a time, so that the faster side waits for the slower one.
struct Pipe {
    explicit Pipe(asio::any_io_executor executor) : changed(std::move(executor)) {}

    awaitable<void> write(std::string_view bytes)
    {
        if (bytes.empty())
            co_return;
        std::string copy(bytes);
        co_await changed.wait_until([this] { return !piece; });
        piece = std::move(copy);
        changed.notify_all();
    }

    awaitable<std::string> read()
    {
        co_await changed.wait_until([this] { return piece || ended; });
        auto bytes = piece ? std::move(*piece) : std::string();
        piece.reset();
        changed.notify_all();
        co_return bytes;
    }

    void end()
    {
        ended = true;
        changed.notify_all();
    }

    Signal changed;
    std::optional<std::string> piece;
    bool ended = false;
};

} // namespace

awaitable<void> copy_archive(engine::Engine& engine, const ArchivePlace& from, const ArchivePlace& to,
                             std::function<void(std::string_view)> seen)
{
    Pipe pipe(co_await asio::this_coro::executor);
    const engine::WritePiece write = [&pipe, &seen](std::string_view bytes) -> awaitable<void> {
        seen(bytes);
        co_await pipe.write(bytes);
    };
    const engine::ReadPiece read = [&pipe]() -> awaitable<std::string> { co_return co_await pipe.read(); };
    auto pack = [&]() -> awaitable<void> {
        co_await engine.download(from.container, from.path, write);
        pipe.end();
    };
    auto unpack = [&]() -> awaitable<void> { co_await engine.upload(to.container, to.path, read); };
    co_await both(pack(), unpack());
}

} // namespace gantry::runner
