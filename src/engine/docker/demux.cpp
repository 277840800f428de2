#include "engine/docker/demux.hpp"

#include <algorithm>

namespace gantry::engine::docker {

namespace {

enum FrameType : unsigned char { k_stdin = 0, k_stdout = 1, k_stderr = 2, k_system_error = 3 };
constexpr std::size_t k_error_limit_bytes = 4096;

} // namespace

// True once a header is complete.
bool Demultiplexer::read_header()
{
    const auto count = std::min(header_.size() - header_used_, input_.size());
    std::copy_n(input_.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_used_));
    header_used_ += count;
    input_.remove_prefix(count);
    if (header_used_ < header_.size())
        return false;
    if (header_[0] > k_system_error || header_[1] != 0 || header_[2] != 0 || header_[3] != 0)
        throw Error(Errc::unavailable, "the container's output stream is damaged: not a frame header");
    left_ = static_cast<std::uint32_t>(header_[4]) << 24 | static_cast<std::uint32_t>(header_[5]) << 16 |
            static_cast<std::uint32_t>(header_[6]) << 8 | static_cast<std::uint32_t>(header_[7]);
    header_used_ = 0;
    return true;
}

void Demultiplexer::read_daemon_error()
{
    const auto count = std::min<std::size_t>(left_, input_.size());
    daemon_error_ += input_.substr(0, std::min(count, k_error_limit_bytes - daemon_error_.size()));
    input_.remove_prefix(count);
    left_ -= static_cast<std::uint32_t>(count);
    if (left_ == 0)
        throw Error(Errc::unavailable, "the container engine reports in the output stream: " + daemon_error_);
}

std::optional<Demultiplexer::Piece> Demultiplexer::next()
{
    while (!input_.empty()) {
        if (left_ == 0) {
            if (!read_header())
                return std::nullopt;
            if (left_ == 0)
                continue;
        }
        if (header_[0] == k_system_error) {
            read_daemon_error();
            continue;
        }
        const auto count = std::min<std::size_t>(left_, input_.size());
        const Piece piece{header_[0] == k_stderr ? Stream::err : Stream::out, input_.substr(0, count)};
        input_.remove_prefix(count);
        left_ -= static_cast<std::uint32_t>(count);
        return piece;
    }
    return std::nullopt;
}

} // namespace gantry::engine::docker
