#pragma once

#include "base/secret.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::runner {

// The patterns to hide: each secret raw, per line (of 8 bytes or more), base64 in its three alignments (standard and URL
// alphabets), URL-encoded, JSON-escaped and shell-quoted; masker_patterns.hpp has the list. One automaton (Aho-Corasick) that
// all maskers of a run share. Secrets shorter than 4 bytes are not masked: short_names() lists them, so that the run can say so.
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
    std::shared_ptr<const Automaton> automaton_;
    std::vector<std::string> short_names_;
};

// Replaces every occurrence by "***" in one stream of bytes, however it is cut into pieces; occurrences that overlap or touch
// become one. Holds back at most the longest pattern's length, and only while the bytes so far could be the beginning of a
// secret. Time is linear in the bytes, whatever the secrets.
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
    void scan(std::string_view text, std::size_t begin);
    void add_hit(std::size_t begin, std::size_t end);
    void show(std::string_view text, std::size_t until, std::string& out);

    std::shared_ptr<const MaskSet::Automaton> automaton_;
    std::string held_;
    std::vector<Hit> hits_;      // not shown yet, apart from each other, in order
    std::int32_t state_ = 0;
    bool masked_before_ = false; // the last byte that was shown is part of a "***"
};

// A text as a whole.
std::string mask_text(const MaskSet& set, std::string_view text);

} // namespace gantry::runner
