#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gantry::app {

// A line of a step's output for a terminal: what a progress bar that overwrites itself shows last, without anything that
// drives the terminal. Colours stay if asked for, and end with the line.
std::string terminal_line(std::string_view line, bool colours);

// Lines that fold those between them, as steps of GitHub Actions print them; the title follows behind the first.
inline constexpr std::string_view k_group_mark = "::group::";
inline constexpr std::string_view k_group_end_mark = "::endgroup::";

// Cuts a stream into lines. What has no end yet is held, at most 64 KiB of it.
class LineCutter {
public:
    // Calls `on_line(line)` for each whole line, without its end.
    template <typename OnLine>
    void feed(std::string_view bytes, OnLine&& on_line)
    {
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            if (end == std::string_view::npos)
                break;
            if (held_.empty()) {
                on_line(bytes.substr(0, end));
            } else {
                held_ += bytes.substr(0, end);
                on_line(std::string_view(held_));
                held_.clear();
            }
            bytes.remove_prefix(end + 1);
        }
        while (held_.size() + bytes.size() > k_longest_bytes) {
            const auto part = k_longest_bytes - held_.size();
            held_ += bytes.substr(0, part);
            bytes.remove_prefix(part);
            on_line(std::string_view(held_));
            held_.clear();
        }
        held_ += bytes;
    }

    // The last line, which has no end.
    template <typename OnLine>
    void finish(OnLine&& on_line)
    {
        if (!held_.empty())
            on_line(std::string_view(held_));
        held_.clear();
    }

    std::string_view held() const { return held_; }

private:
    static constexpr std::size_t k_longest_bytes = 64 * 1024;
    std::string held_;
};

} // namespace gantry::app
