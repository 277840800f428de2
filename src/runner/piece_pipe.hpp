#pragma once

#include "base/async.hpp"

#include <cstddef>
#include <exception>
#include <string>

namespace gantry::runner {

// What lies between two transfers, so that neither waits for each piece of the other.
inline constexpr std::size_t k_between_transfers_bytes = 256 * 1024;

// Bytes from one coroutine to another, at most `limit_bytes` and a piece in between.
class PiecePipe {
public:
    PiecePipe(asio::any_io_executor executor, std::size_t limit_bytes) : limit_bytes_(limit_bytes), changed_(std::move(executor)) {}

    // Waits while it is full. After abandon() nothing is kept.
    awaitable<void> write(std::string piece)
    {
        while (bytes_.size() >= limit_bytes_ && !abandoned_)
            co_await changed_.wait();
        if (abandoned_)
            co_return;
        bytes_ += piece;
        changed_.notify_all();
    }
    void close() { end(nullptr); }
    // read() throws this, at once.
    void fail(std::exception_ptr failure) { end(std::move(failure)); }

    // All that is there; waits until something is. Empty at the end.
    awaitable<std::string> read()
    {
        while (bytes_.empty() && !closed_)
            co_await changed_.wait();
        if (failure_)
            std::rethrow_exception(failure_);
        std::string piece;
        piece.swap(bytes_);
        changed_.notify_all();
        co_return piece;
    }
    // Nobody reads any more.
    void abandon()
    {
        abandoned_ = true;
        changed_.notify_all();
    }

private:
    void end(std::exception_ptr failure)
    {
        closed_ = true;
        failure_ = std::move(failure);
        changed_.notify_all();
    }

    std::size_t limit_bytes_;
    Signal changed_;
    std::string bytes_;
    std::exception_ptr failure_;
    bool closed_ = false, abandoned_ = false;
};

} // namespace gantry::runner
