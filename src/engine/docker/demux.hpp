#pragma once

#include "engine/engine.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::engine::docker {

// Takes apart the stream of a container without a TTY: frames of a header {type, 0, 0, 0, length as 32 bits big endian}
// and a payload ("Stream format" of POST /containers/{id}/attach). Hands on pieces of payloads as they are, so a frame of
// any length and any split of the input costs no memory.
class Demultiplexer {
public:
    struct Piece {
        Stream stream = Stream::out;
        std::string_view bytes; // within what was fed
    };

    // Gives it the next input, once next() has returned nothing. It must stay valid until then.
    void feed(std::string_view input) { input_ = input; }
    // Throws unavailable for a stream that cannot be one, and for what the daemon itself reports in it.
    std::optional<Piece> next();
    // True between two frames: where an end of the stream is a good end.
    bool at_border() const { return header_used_ == 0 && left_ == 0; }

private:
    bool read_header();
    void read_daemon_error();

    std::string_view input_;
    std::array<unsigned char, 8> header_{};
    std::size_t header_used_ = 0;
    std::uint32_t left_ = 0; // of the current payload
    std::string daemon_error_;
};

} // namespace gantry::engine::docker
