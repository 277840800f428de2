#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::app {

// Where a view's bytes go.
class Output {
public:
    virtual ~Output() = default;
    // All of it, in order. What cannot be written is dropped.
    virtual void write(std::string_view bytes) = 0;
    // Nobody reads any more: writing is in vain.
    virtual bool closed() const { return false; }
    // Calls `hear` once, from within the write() that shows that nobody reads any more.
    virtual void on_closed(std::function<void()> hear) { (void)hear; }
    // Why not all of it was written, other than that nobody reads any more.
    virtual std::optional<Error> failure() const { return std::nullopt; }
};

// A descriptor that stays the caller's. After the first failure everything is dropped; one that does not block is waited for.
std::unique_ptr<Output> make_fd_output(int descriptor);

// Output may lie in a buffer for that long.
inline constexpr std::chrono::milliseconds k_flush_interval{50};

// Gathers small writes. Whoever owns it flushes: nothing is written when it goes away.
class BufferedOutput {
public:
    explicit BufferedOutput(Output& output) : output_(output) { buffer_.reserve(2 * k_piece_bytes); }

    // A place to append to; call settle() afterwards.
    std::string& buffer() { return buffer_; }
    // Writes if enough has gathered.
    void settle()
    {
        if (buffer_.size() >= k_piece_bytes)
            flush();
    }
    void flush();

private:
    static constexpr std::size_t k_piece_bytes = 128 * 1024;

    Output& output_;
    std::string buffer_;
};

} // namespace gantry::app
