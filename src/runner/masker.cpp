#include "runner/masker.hpp"

#include "runner/masker_patterns.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::string_view k_mask = "***";

std::uint32_t load(const char* bytes)
{
    std::uint32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

} // namespace

// Aho-Corasick with failure links: linear in the text whatever the secrets are. Most text is not even looked at by it:
// blocks of 3 or 4 bytes at regular distances are looked up in a bitmap of the blocks that any pattern's beginning
// contains; the distance is such that no occurrence can lie between two of them.
struct MaskSet::Automaton {
    struct State {
        std::int32_t first_child = -1, next_sibling = -1;
        std::int32_t fail = 0;
        std::uint32_t depth = 0;
        std::uint32_t longest = 0; // of the patterns that end here
        unsigned char byte = 0;
    };

    explicit Automaton(const std::vector<std::string>& patterns)
    {
        states.emplace_back();
        std::size_t shortest = k_longest_begin;
        for (const auto& pattern : patterns) {
            insert(pattern);
            shortest = std::min(shortest, pattern.size());
        }
        link();
        block_bytes = shortest >= 6 ? 4 : 3;
        stride = shortest - block_bytes + 1;
        for (const auto& pattern : patterns)
            for (std::size_t at = 0; at < stride; ++at)
                mark_block(pattern.substr(at, block_bytes));
    }

    std::int32_t child(std::int32_t state, unsigned char byte) const
    {
        if (state == 0)
            return root[byte];
        for (std::int32_t at = states[static_cast<std::size_t>(state)].first_child; at >= 0; at = states[static_cast<std::size_t>(at)].next_sibling)
            if (states[static_cast<std::size_t>(at)].byte == byte)
                return at;
        return -1;
    }

    std::int32_t step(std::int32_t state, unsigned char byte) const
    {
        while (true) {
            const std::int32_t next = child(state, byte);
            if (next >= 0)
                return next;
            if (state == 0)
                return 0;
            state = states[static_cast<std::size_t>(state)].fail;
        }
    }

    // Follows the automaton from `begin` on; leaves it for skip() wherever nothing has begun. `state` is where it was before
    // `begin`, and is at the end; no text before `begin` is needed. `found` gets the end of each occurrence and the length of the longest that ends there.
    template <class Found>
    void scan(std::string_view text, std::size_t begin, std::int32_t& state, const Found& found) const
    {
        std::size_t position = begin;
        std::size_t block = text.size(); // up to here the automaton has to look
        if (state != 0)
            block = position;
        while (position < text.size()) {
            if (state == 0)
                position = std::min(skip(text.data(), position, text.size(), block), text.size());
            for (; position < text.size(); ++position) {
                state = step(state, static_cast<unsigned char>(text[position]));
                const State& now = at(state);
                if (now.longest != 0)
                    found(position + 1, now.longest);
                // Whatever may have begun here has begun behind the block, and is too short to go on by hand.
                if (now.depth < block_bytes && position + 1 > block + now.depth) {
                    position = position + 1 - now.depth;
                    state = 0;
                    break;
                }
            }
        }
    }

    const State& at(std::int32_t state) const { return states[static_cast<std::size_t>(state)]; }

private:
    // The first position from `begin` on at which a pattern could begin, if that can be told from whole blocks: nothing
    // begins before it. Behind it comes a block that is worth a look, or fewer than 4 bytes.
    std::size_t skip(const char* text, std::size_t begin, std::size_t size, std::size_t& block) const
    {
        const std::uint32_t mask = load(block_bytes == 4 ? "\xff\xff\xff\xff" : "\xff\xff\xff\0");
        std::size_t at = begin + stride - 1;
        while (at + 4 <= size && !is_marked(load(text + at) & mask))
            at += stride;
        block = at;
        return at - (stride - 1);
    }

    static constexpr std::size_t k_longest_begin = 12;
    static constexpr unsigned k_bits = 18;

    static std::uint32_t hash(std::uint32_t block) { return (block * 0x9E3779B1U) >> (32 - k_bits); }

    bool is_marked(std::uint32_t block) const
    {
        const std::uint32_t bit = hash(block);
        return (blocks[bit / 64] >> (bit % 64) & 1) != 0;
    }

    void mark_block(std::string_view bytes)
    {
        char padded[4] = {};
        std::copy(bytes.begin(), bytes.end(), padded);
        const std::uint32_t bit = hash(load(padded));
        blocks[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }

    void insert(const std::string& pattern)
    {
        std::int32_t state = 0;
        for (const char c : pattern) {
            const auto byte = static_cast<unsigned char>(c);
            std::int32_t next = child(state, byte);
            if (next < 0) {
                next = static_cast<std::int32_t>(states.size());
                State& parent = states[static_cast<std::size_t>(state)];
                State added{.next_sibling = parent.first_child, .depth = parent.depth + 1, .byte = byte};
                parent.first_child = next;
                states.push_back(added);
                if (state == 0)
                    root[byte] = next;
            }
            state = next;
        }
        states[static_cast<std::size_t>(state)].longest = static_cast<std::uint32_t>(pattern.size());
    }

    // Breadth first, so that the state which a failure leads to is complete.
    void link()
    {
        std::vector<std::int32_t> order{0};
        for (std::size_t i = 0; i < order.size(); ++i) {
            const std::int32_t parent = order[i];
            for (std::int32_t at_child = at(parent).first_child; at_child >= 0; at_child = at(at_child).next_sibling) {
                State& state = states[static_cast<std::size_t>(at_child)];
                state.fail = parent == 0 ? 0 : step(at(parent).fail, state.byte);
                state.longest = std::max(state.longest, at(state.fail).longest);
                order.push_back(at_child);
            }
        }
    }

    std::size_t block_bytes = 4, stride = 1;
    std::vector<State> states;
    std::array<std::int32_t, 256> root = [] {
        std::array<std::int32_t, 256> none{};
        none.fill(-1);
        return none;
    }();
    std::array<std::uint64_t, (std::size_t{1} << k_bits) / 64> blocks{};
};

struct MaskSet::Automata {
    Automaton plain;  // for the stream as it is
    Automaton folded; // for the stream without its line breaks
};

MaskSet::MaskSet(const std::vector<std::pair<std::string, Secret>>& secrets)
{
    std::vector<std::string> all, foldable;
    for (const auto& [name, secret] : secrets) {
        auto patterns = mask_patterns(secret.reveal());
        if (patterns.empty())
            short_names_.push_back(name);
        for (auto& pattern : patterns)
            all.push_back(std::move(pattern));
        for (auto& pattern : foldable_patterns(secret.reveal()))
            foldable.push_back(std::move(pattern));
    }
    if (!all.empty())
        automata_ = std::make_shared<Automata>(Automata{Automaton(all), Automaton(foldable)}); // braces: clang 14 knows no other way
}

MaskSet::~MaskSet() = default;

bool MaskSet::empty() const { return !automata_; }
const std::vector<std::string>& MaskSet::short_names() const { return short_names_; }

Masker::Masker(const MaskSet& set) : automata_(set.automata_) {}

std::size_t Masker::held() const { return held_.size(); }

// Occurrences come in the order of their ends, so those that touch are always the last ones.
void Masker::add_hit(std::vector<Hit>& hits, std::size_t begin, std::size_t end)
{
    while (!hits.empty() && hits.back().end >= begin) {
        begin = std::min(begin, hits.back().begin);
        end = std::max(end, hits.back().end);
        hits.pop_back();
    }
    hits.push_back({begin, end});
}

// Base64 that line breaks cut; what none cuts is found in the stream itself. Returns where something may have begun: nothing
// before it waits for more.
std::uint64_t Masker::find_folded(std::string_view bytes)
{
    constexpr std::size_t k_piece_bytes = 8192; // stays in the processor's cache
    const auto& automaton = automata_->folded;
    std::vector<Hit> cut;
    std::string folded;
    folded.reserve(std::min(bytes.size(), k_piece_bytes) + 1);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), k_piece_bytes))) {
        const std::uint64_t known = folds_.folded_end();
        folded.clear();
        folds_.add(bytes.substr(0, k_piece_bytes), folded);
        automaton.scan(folded, 0, folded_state_, [&](std::size_t until, std::size_t longest) {
            const std::uint64_t end = known + until;
            const std::uint64_t begin = end - longest;
            if (folds_.is_cut(begin, end))
                add_hit(cut, folds_.begin(begin, k_shortest_masked_bytes) - shown_bytes_, folds_.position(end - 1) + 1 - shown_bytes_);
        });
        folds_.forget(folds_.folded_end() - automaton.at(folded_state_).depth);
    }
    merge_hits(cut);
    return folds_.begin(folds_.folded_end() - automaton.at(folded_state_).depth, k_shortest_masked_bytes);
}

void Masker::merge_hits(const std::vector<Hit>& cut)
{
    if (cut.empty())
        return;
    const auto middle = static_cast<std::ptrdiff_t>(hits_.size());
    hits_.insert(hits_.end(), cut.begin(), cut.end());
    std::inplace_merge(hits_.begin(), hits_.begin() + middle, hits_.end(), [](const Hit& a, const Hit& b) { return a.end < b.end; });
    for (const auto& hit : std::exchange(hits_, {}))
        add_hit(hits_, hit.begin, hit.end);
}

// Everything before `until`: no occurrence that is still to be found begins there.
void Masker::show(std::string_view text, std::size_t until, std::string& out)
{
    std::size_t shown = 0;
    std::size_t done = 0;
    for (; done < hits_.size() && hits_[done].begin < until; ++done) {
        Hit& hit = hits_[done];
        if (hit.begin > shown) {
            out += text.substr(shown, hit.begin - shown);
            masked_before_ = false;
        }
        if (!masked_before_)
            out += k_mask;
        masked_before_ = true;
        shown = std::min(hit.end, until);
        if (hit.end > until) {
            hit.begin = until;
            break;
        }
    }
    if (shown < until) {
        out += text.substr(shown, until - shown);
        masked_before_ = false;
    }
    hits_.erase(hits_.begin(), hits_.begin() + static_cast<std::ptrdiff_t>(done));
}

void Masker::feed(std::string_view bytes, std::string& out)
{
    if (!automata_) {
        out += bytes;
        return;
    }
    std::string_view text = bytes;
    const std::size_t known = held_.size();
    if (known != 0) {
        held_ += bytes;
        text = held_;
    }
    automata_->plain.scan(text, known, state_, [this](std::size_t end, std::size_t longest) { add_hit(hits_, end - longest, end); });
    const std::size_t open = automata_->plain.at(state_).depth;
    const std::size_t safe = std::min<std::size_t>(text.size() - open, find_folded(bytes) - shown_bytes_);
    show(text, safe, out);
    shown_bytes_ += safe;
    for (auto& hit : hits_) {
        hit.begin -= safe;
        hit.end -= safe;
    }
    if (known != 0)
        held_.erase(0, safe);
    else
        held_.assign(text.substr(safe));
}

void Masker::finish(std::string& out)
{
    if (!automata_)
        return;
    show(held_, held_.size(), out);
    held_.clear();
    hits_.clear();
    state_ = folded_state_ = 0;
    folds_ = {};
    shown_bytes_ = 0;
    masked_before_ = false;
}

std::string mask_text(const MaskSet& set, std::string_view text)
{
    Masker masker(set);
    std::string shown;
    masker.feed(text, shown);
    masker.finish(shown);
    return shown;
}

std::string mask_beginning(const MaskSet& set, std::string_view text)
{
    Masker masker(set);
    std::string shown;
    masker.feed(text, shown);
    return shown;
}

} // namespace gantry::runner
