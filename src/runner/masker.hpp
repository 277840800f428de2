#pragma once

#include "base/secret.hpp"
#include "runner/line_folds.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::runner {

// The patterns to hide: each secret raw, per line (of 8 bytes or more), base64 in its three alignments (standard and URL
// alphabets), URL-encoded, JSON-escaped and shell-quoted; masker_patterns.hpp has the list. Automata (Aho-Corasick) that all
// maskers of a run share. Secrets shorter than 4 bytes are not masked: short_names() lists them, so that the run can say so.
class MaskSet {
public:
    // Names and values.
    explicit MaskSet(const std::vector<std::pair<std::string, Secret>>& secrets);
    ~MaskSet();
    bool empty() const;
    const std::vector<std::string>& short_names() const;

private:
    friend class Masker;
    struct Automaton;
    struct Automata;
    std::shared_ptr<const Automata> automata_;
    std::vector<std::string> short_names_;
};

// Replaces every occurrence by "***" in one stream of bytes, however it is cut into pieces; occurrences that overlap or touch
// become one. Base64 is found across the line breaks of any wrapping (see LineFolds), which are hidden with it; up to 3
// characters of its beginning stay where a line ends behind them, so that not every line's end has to wait for the next line.
// Holds back at most the longest pattern's length and the breaks in it, and only while the bytes so far could be the
// beginning of a secret. Time is linear in the bytes, whatever the secrets.
class Masker {
public:
    explicit Masker(const MaskSet& set); // `set` may go away
    // Appends to `out` what is safe to show.
    void feed(std::string_view bytes, std::string& out);
    // End of stream: the rest.
    void finish(std::string& out);
    // Bytes held back now.
    std::size_t held() const;

private:
    struct Hit {
        std::size_t begin, end; // from the beginning of held_
    };
    static void add_hit(std::vector<Hit>& hits, std::size_t begin, std::size_t end);
    std::uint64_t find_folded(std::string_view bytes);
    void merge_hits(const std::vector<Hit>& cut);
    void show(std::string_view text, std::size_t until, std::string& out);

    std::shared_ptr<const MaskSet::Automata> automata_;
    std::string held_;
    std::vector<Hit> hits_;         // not shown yet, apart from each other, in order
    std::int32_t state_ = 0;
    LineFolds folds_;
    std::int32_t folded_state_ = 0;
    std::uint64_t shown_bytes_ = 0; // of the stream: where held_ begins
    bool masked_before_ = false;    // the last byte that was shown is part of a "***"
};

// A text as a whole. Whoever cuts it short does that afterwards: half of a secret is none.
std::string mask_text(const MaskSet& set, std::string_view text);
// The beginning of a longer one: without what may be the beginning of a secret at its end.
std::string mask_beginning(const MaskSet& set, std::string_view text);

} // namespace gantry::runner
