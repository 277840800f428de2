#include "pipeline/glob.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace gantry::pipeline {

namespace {

// Patterns are bytes, so that names that are no UTF-8 match, too; this is one character of either kind but a slash.
constexpr std::string_view k_one_character = "(?:[\\x00-.0-\\x7f]|[\\xc0-\\xff][\\x80-\\xbf]*|[\\x80-\\xbf])";

class Translator {
public:
    explicit Translator(std::string_view pattern) : pattern_(pattern) {}

    std::string translate()
    {
        while (at_ < pattern_.size())
            translate_one();
        return std::move(regex_);
    }

private:
    void translate_one()
    {
        const char c = pattern_[at_];
        if (c == '*')
            translate_stars();
        else if (c == '?')
            emit(k_one_character, 1);
        else if (c == '[' && class_end(at_) != std::string_view::npos)
            translate_class();
        else if (c == '{' && group_is_closed())
            open_group();
        else if (c == '}' && open_groups_ > 0)
            close_group();
        else if (c == ',' && open_groups_ > 0)
            emit("|", 1);
        else if (c == '\\' && at_ + 1 < pattern_.size())
            literal(pattern_[at_ + 1], 2);
        else
            literal(c, 1);
    }

    void emit(std::string_view regex, std::size_t consumed)
    {
        regex_ += regex;
        at_ += consumed;
    }

    void literal(char c, std::size_t consumed)
    {
        const bool special = std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos;
        if (c == '\0')
            regex_ += "\\x00";
        else
            regex_ += special ? std::string("\\") + c : std::string(1, c);
        at_ += consumed;
    }

    void translate_stars()
    {
        const bool at_element_start = at_ == 0 || pattern_[at_ - 1] == '/' || open_groups_ > 0;
        auto end = pattern_.find_first_not_of('*', at_);
        end = end == std::string_view::npos ? pattern_.size() : end;
        const bool is_double = end - at_ > 1;
        at_ = end;
        if (is_double && at_element_start && at_ < pattern_.size() && pattern_[at_] == '/')
            emit("(?:.*/)?", 1);
        else
            regex_ += is_double ? ".*" : "[^/]*";
    }

    // Offset of the `]` that closes the class at `start`.
    std::size_t class_end(std::size_t start) const
    {
        auto first = start + 1;
        if (first < pattern_.size() && (pattern_[first] == '!' || pattern_[first] == '^'))
            ++first;
        const auto end = pattern_.find(']', first + 1); // a `]` that comes first is a member
        return end != std::string_view::npos && pattern_.substr(start, end - start).find('/') == std::string_view::npos
                   ? end
                   : std::string_view::npos;
    }

    void translate_class()
    {
        const auto end = class_end(at_);
        auto members = pattern_.substr(at_ + 1, end - at_ - 1);
        const bool excludes = members.front() == '!' || members.front() == '^';
        if (excludes)
            members.remove_prefix(1);
        regex_ += excludes ? "[^/" : "[";
        for (std::size_t i = 0; i < members.size(); ++i) {
            // "z-a" is an empty range, which RE2 refuses: its ends then stand for themselves.
            const bool is_range = i + 2 < members.size() && members[i + 1] == '-' &&
                                  static_cast<unsigned char>(members[i]) <= static_cast<unsigned char>(members[i + 2]);
            member(members[i]);
            if (is_range) {
                regex_ += '-';
                member(members[i + 2]);
                i += 2;
            }
        }
        regex_ += ']';
        at_ = end + 1;
    }

    void member(char c)
    {
        if (c == '\0')
            regex_ += "\\x00";
        else if (std::string_view("\\]^[-&~").find(c) != std::string_view::npos)
            regex_ += std::string("\\") + c;
        else
            regex_ += c;
    }

    // Whether the `{` at at_ has its `}`. Found for all at once: a search for each would be quadratic.
    bool group_is_closed()
    {
        if (closed_.empty()) {
            closed_.resize(pattern_.size());
            std::vector<std::size_t> open;
            for (std::size_t i = 0; i < pattern_.size(); ++i) {
                if (pattern_[i] == '\\') {
                    ++i;
                } else if (pattern_[i] == '[' && class_end(i) != std::string_view::npos) {
                    i = class_end(i);
                } else if (pattern_[i] == '{') {
                    open.push_back(i);
                } else if (pattern_[i] == '}' && !open.empty()) {
                    closed_[open.back()] = true;
                    open.pop_back();
                }
            }
        }
        return closed_[at_];
    }

    void open_group()
    {
        ++open_groups_;
        emit("(?:", 1);
    }

    void close_group()
    {
        --open_groups_;
        emit(")", 1);
    }

    std::string_view pattern_;
    std::string regex_;
    std::size_t at_ = 0;
    std::size_t open_groups_ = 0;
    std::vector<bool> closed_;
};

RE2::Options options()
{
    RE2::Options result(RE2::Latin1);
    result.set_log_errors(false);
    result.set_dot_nl(true);
    result.set_max_mem(4 * 1024 * 1024);
    return result;
}

} // namespace

struct Glob::Compiled {
    // Most patterns are plain text, for which no automaton is needed.
    std::string plain;
    std::unique_ptr<RE2> regex;
};

Glob::Glob(std::string_view pattern)
{
    auto compiled = std::make_shared<Compiled>();
    if (pattern.starts_with("./"))
        pattern.remove_prefix(2);
    std::string whole(pattern);
    if (whole.size() > 1024) {
        problem_ = "the pattern is longer than 1024 bytes";
        return;
    }
    if (whole.size() > 1 && whole.ends_with('/'))
        whole += "**";
    if (whole.find_first_of("*?[{\\") == std::string::npos) {
        compiled->plain = std::move(whole);
    } else {
        compiled->regex = std::make_unique<RE2>(Translator(whole).translate(), options());
        if (!compiled->regex->ok())
            problem_ = "the pattern is too complex: " + compiled->regex->error();
    }
    if (problem_.empty())
        compiled_ = std::move(compiled);
}

bool Glob::matches(std::string_view text) const
{
    if (!compiled_)
        return false;
    return compiled_->regex ? RE2::FullMatch({text.data(), text.size()}, *compiled_->regex) : compiled_->plain == text;
}

GlobList::GlobList(const std::vector<std::string>& patterns)
{
    entries_.reserve(patterns.size());
    for (const std::string_view pattern : patterns) {
        const bool excludes = pattern.starts_with('!');
        entries_.push_back({Glob(pattern.substr(excludes ? 1 : 0)), excludes});
    }
}

bool GlobList::matches(std::string_view text) const
{
    const auto last = std::find_if(entries_.rbegin(), entries_.rend(),
                                   [&](const Entry& entry) { return entry.glob.matches(text); });
    if (last != entries_.rend())
        return !last->excludes;
    return !entries_.empty() && entries_.front().excludes;
}

} // namespace gantry::pipeline
