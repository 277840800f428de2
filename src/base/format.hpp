#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How numbers and names are written for people and read from them: one place for each decision.

namespace gantry {

// "0.7s", "42.0s", "2m 05s", "1h 02m", "30d 00h": what a person reads. Below 100 ms: "4ms". A negative duration is "0ms".
std::string format_duration(std::chrono::nanoseconds duration);
// "412 B", "3.1 kB", "412 MB": decimal units, as disks and registries use.
std::string format_size(std::uint64_t size_bytes);
// "20 MiB", "1.5 GiB", "512 KiB", "1000 B": binary units, as limits of memory are written (see parse_size).
std::string format_memory(std::uint64_t size_bytes);
// "1 file", "3 files".
std::string format_count(std::uint64_t count, std::string_view noun);
// How long ago, in one unit: "just now", "5 min ago", "3 h ago", "12 days ago".
std::string format_ago(std::chrono::nanoseconds passed);
// RFC 3339 in UTC with milliseconds: "2024-05-01T10:20:30.123Z".
std::string format_time(std::chrono::system_clock::time_point time);
// The same of times for which that has no room (1678 to 2262); what is outside of the years 1 to 9999 gets the nearest there is.
std::string format_seconds(std::int64_t since_1970);
// Any RFC 3339 time, with an offset or more digits; nullopt outside of the years 1678 to 2261 too (Docker's "never"
// is in the year 1).
std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text);

// "90s", "10m", "1h30m", "500ms", "1.5s", "2d" (Compose and Go spelling). Nothing else, not even a bare number.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// The spelling in falling units that parse_duration reads back to the same value: "1h30m", "1m30s", "1.5s".
std::string print_duration(std::chrono::nanoseconds duration);
// "512m", "1g", "1gb", "1.5GiB", "64k", "1024", "1024b": binary units in any case, as Compose has them.
std::optional<std::uint64_t> parse_size(std::string_view text);

// "a,,b" has three parts and "" has one: join() undoes it.
std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// "a, b and 3 more": the first `most` of them; all with commas when there are no more.
std::string some_of(const std::vector<std::string>& parts, std::size_t most);
// Without blanks and line ends at both sides; a view into `text`.
std::string_view trim(std::string_view text);
// ASCII only, both.
inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
std::string to_lower(std::string_view text);

// The candidate nearest to `word` by edit distance, if it is near enough to be what was meant. Case does
// not count; of equally near ones the first wins.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// RFC 4648 with padding: section 4, and section 5 (for URLs and headers).
std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);
// Either alphabet, padded or not; nullopt for anything else, blanks and line ends included.
std::optional<std::string> base64_decode(std::string_view text);
// Lower-case hex of SHA-256.
std::string sha256_hex(std::string_view bytes);
// `count` random bytes as lower-case hex, from the kernel.
std::string random_hex(std::size_t count);

// Control characters, line ends included, and invalid UTF-8 as visible escapes ("^[", "\x9b"), so that text from
// outside cannot drive a terminal or forge a line; characters that reorder text too. Tabs stay. Colours (SGR
// sequences, ESC [ … m) vanish, or stay with Colours::keep.
enum class Colours { strip, keep };
std::string terminal_safe(std::string_view text, Colours colours = Colours::strip);

} // namespace gantry
