// The streams of a daemon: frames of output, lines of JSON, events and the answers that become values. The first byte
// chooses how the input is cut into pieces.

#include "engine/docker/answers.hpp"
#include "engine/docker/build_messages.hpp"
#include "engine/docker/demux.hpp"
#include "engine/docker/pull.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::engine::docker;

namespace {

struct Taken {
    std::string out, err;
    bool failed = false;
};

Taken demultiplex(std::string_view bytes, std::size_t piece_bytes)
{
    Taken taken;
    Demultiplexer demultiplexer;
    try {
        while (!bytes.empty()) {
            const auto piece = bytes.substr(0, piece_bytes);
            bytes.remove_prefix(piece.size());
            demultiplexer.feed(piece);
            while (const auto part = demultiplexer.next())
                (part->stream == Stream::out ? taken.out : taken.err) += part->bytes;
        }
    } catch (const Error&) {
        taken.failed = true;
    }
    return taken;
}

void read_lines(std::string_view bytes, std::size_t piece_bytes)
{
    JsonLines lines;
    PullMeter meter("x");
    BuildMessages build;
    try {
        while (!bytes.empty()) {
            const auto piece = bytes.substr(0, piece_bytes);
            bytes.remove_prefix(piece.size());
            lines.feed(piece);
            while (const auto message = lines.next()) {
                meter.add(*message);
                (void)build.add(*message);
                (void)images_of(*message);
                (void)engine_event(*message);
                (void)container_status(*message);
                (void)image_info(*message, "a/b:c");
                (void)containers_of(*message);
                (void)engine_info(*message, *message);
            }
        }
    } catch (const Error&) {
        // A line that is no JSON.
    }
    const auto progress = meter.progress();
    if (progress.layers_done > progress.layers_total || progress.bytes_done > progress.bytes_total)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::size_t piece_bytes = 1 + data[0];
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

    const auto whole = demultiplex(bytes, std::max<std::size_t>(1, bytes.size()));
    const auto pieces = demultiplex(bytes, piece_bytes);
    if (whole.out != pieces.out || whole.err != pieces.err || whole.failed != pieces.failed)
        std::abort(); // the split made a difference
    read_lines(bytes, piece_bytes);
    return 0;
}
