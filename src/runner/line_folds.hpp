#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace gantry::runner {

// A stream of bytes without its line breaks, and where each byte that is left stood. A break is a CR or LF with all line
// ends and blanks behind it, so that an indented block becomes one line, too. A longer break than k_longest_fold_bytes
// folds nothing: one LF stays in its place. However the stream is cut into pieces, the view is the same.
// Offsets count from the beginning of the stream.
class LineFolds {
public:
    // Appends to `folded` what `bytes`, the next of the stream, bring.
    void add(std::string_view bytes, std::string& folded);
    std::uint64_t folded_end() const { return folded_end_; }

    // In the stream: of the byte at this offset of the view.
    std::uint64_t position(std::uint64_t folded) const;
    // In the stream: where something begins that begins at this offset of the view, without a beginning of fewer than
    // `shortest` bytes that a break cuts off. Breaks that are added later move it forward, never back.
    std::uint64_t begin(std::uint64_t folded, std::size_t shortest) const;
    // Whether a break lies between the first and the last byte of a part of the view, which is not empty.
    bool is_cut(std::uint64_t folded_begin, std::uint64_t folded_end) const;
    // Nobody asks for what lies before this offset of the view any more.
    void forget(std::uint64_t folded);

private:
    struct Fold {
        std::uint64_t folded = 0, stream = 0; // of the first byte behind the break
    };
    const Fold& last_until(std::uint64_t folded) const;
    std::size_t add_break(std::string_view bytes, std::string& folded);

    std::deque<Fold> folds_{Fold{}}; // in order; the first one stands for all before it
    std::uint64_t stream_end_ = 0, folded_end_ = 0;
    std::size_t break_bytes_ = 0; // of the break that the stream ends with
};

inline constexpr std::size_t k_longest_fold_bytes = 256;

} // namespace gantry::runner
