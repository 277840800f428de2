#include "runner/archive_pipe.hpp"

#include "runner/piece_pipe.hpp"

#include <utility>

namespace gantry::runner {

awaitable<void> copy_archive(engine::Engine& engine, const ArchivePlace& from, const ArchivePlace& to,
                             std::function<void(std::string_view)> seen)
{
    PiecePipe pipe(co_await asio::this_coro::executor, k_between_transfers_bytes);
    const engine::WritePiece write = [&pipe, &seen](std::string_view bytes) -> awaitable<void> {
        seen(bytes);
        std::string piece(bytes);
        co_await pipe.write(std::move(piece));
    };
    const engine::ReadPiece read = [&pipe]() -> awaitable<std::string> { co_return co_await pipe.read(); };
    auto pack = [&]() -> awaitable<void> {
        co_await engine.download(from.container, from.path, write);
        pipe.close();
    };
    auto unpack = [&]() -> awaitable<void> { co_await engine.upload(to.container, to.path, read); };
    co_await both(pack(), unpack());
}

} // namespace gantry::runner
