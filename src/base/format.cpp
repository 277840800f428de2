#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace gantry {

using namespace std::chrono_literals;

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

// Longer names first where one begins with another.
constexpr Unit k_duration_units[] = {
    {"ns", 1},
    {"us", 1'000},
    {"µs", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
};

// A decimal number at the front of a text, kept exact until its unit is known.
struct Decimal {
    std::uint64_t whole = 0;
    std::string_view fraction;

    std::optional<std::uint64_t> times(std::uint64_t unit, std::uint64_t limit) const
    {
        if (whole > limit / unit)
            return std::nullopt;
        auto result = whole * unit;
        auto weight = unit;
        // Digit by digit: fraction * unit would not fit.
        for (std::uint64_t scale = 10; const char digit : fraction) {
            result += static_cast<std::uint64_t>(digit - '0') * weight / scale;
            if (scale > std::numeric_limits<std::uint64_t>::max() / 10)
                break;
            scale *= 10;
        }
        if (result > limit)
            return std::nullopt;
        return result;
    }
};

// Takes "12", "1.5" or ".5" off the front of `text`.
std::optional<Decimal> take_decimal(std::string_view& text)
{
    Decimal number;
    const auto* const end = text.data() + text.size();
    const auto* next = text.data();
    if (next != end && is_digit(*next)) {
        const auto [after, error] = std::from_chars(next, end, number.whole);
        if (error != std::errc())
            return std::nullopt;
        next = after;
    }
    const bool has_whole = next != text.data();
    text.remove_prefix(static_cast<std::size_t>(next - text.data()));
    if (!text.empty() && text.front() == '.') {
        const auto stop = std::find_if_not(text.begin() + 1, text.end(), is_digit);
        number.fraction = text.substr(1, static_cast<std::size_t>(stop - text.begin()) - 1);
        text.remove_prefix(number.fraction.size() + 1);
        if (number.fraction.empty())
            return std::nullopt;
    }
    if (!has_whole && number.fraction.empty())
        return std::nullopt;
    return number;
}

const Unit* take_duration_unit(std::string_view& text)
{
    const auto stop = std::find_if(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
    const auto name = text.substr(0, static_cast<std::size_t>(stop - text.begin()));
    for (const auto& unit : k_duration_units) {
        if (unit.name == name) {
            text.remove_prefix(name.size());
            return &unit;
        }
    }
    return nullptr;
}

// "1.5s" of a value below one minute, with the greatest unit that does not exceed it.
std::string print_below_a_minute(std::uint64_t value)
{
    for (const auto* name : {"s", "ms", "us", "ns"}) {
        const auto unit = std::find_if(std::begin(k_duration_units), std::end(k_duration_units),
                                       [name](const Unit& candidate) { return candidate.name == name; });
        if (value < unit->size)
            continue;
        auto text = fmt::format("{}", value / unit->size);
        if (auto rest = value % unit->size; rest != 0) {
            auto digits = fmt::format("{}", unit->size + rest).substr(1); // leading zeros of the fraction stay
            digits.erase(digits.find_last_not_of('0') + 1);
            text += "." + digits;
        }
        return text + name;
    }
    return "";
}

} // namespace

std::string format_duration(std::chrono::nanoseconds duration)
{
    const auto ns = std::max<std::int64_t>(duration.count(), 0);
    if (ns < 100'000'000)
        return fmt::format("{}ms", ns / 1'000'000);
    // Each unit is rounded before it is compared, so that 59.97s becomes "1m 00s" and not "60.0s".
    const auto tenths = ns / 100'000'000 + (ns % 100'000'000 >= 50'000'000 ? 1 : 0);
    if (tenths < 600)
        return fmt::format("{}.{}s", tenths / 10, tenths % 10);
    const auto seconds = (tenths + 5) / 10;
    if (seconds < 3600)
        return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
    const auto minutes = (seconds + 30) / 60;
    if (minutes < 48 * 60)
        return fmt::format("{}h {:02}m", minutes / 60, minutes % 60);
    const auto hours = (minutes + 30) / 60;
    return fmt::format("{}d {:02}h", hours / 24, hours % 24);
}

std::string format_count(std::uint64_t count, std::string_view noun)
{
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string format_ago(std::chrono::nanoseconds passed)
{
    using namespace std::chrono;
    if (passed < minutes(1))
        return "just now";
    if (passed < hours(1))
        return fmt::format("{} min ago", duration_cast<minutes>(passed).count());
    if (passed < hours(48))
        return fmt::format("{} h ago", duration_cast<hours>(passed).count());
    return fmt::format("{} days ago", duration_cast<hours>(passed).count() / 24);
}

std::string format_size(std::uint64_t size_bytes)
{
    if (size_bytes < 1000)
        return fmt::format("{} B", size_bytes);
    auto tenths = size_bytes / 100 + (size_bytes % 100 >= 50 ? 1 : 0);
    for (const auto* unit : {"kB", "MB", "GB", "TB", "PB", "EB"}) {
        if (tenths < 100)
            return fmt::format("{}.{} {}", tenths / 10, tenths % 10, unit);
        if (tenths < 9995)
            return fmt::format("{} {}", (tenths + 5) / 10, unit);
        tenths = (tenths + 500) / 1000;
    }
    return fmt::format("{} EB", tenths * 100);
}

std::string format_memory(std::uint64_t size_bytes)
{
    constexpr std::uint64_t k_step = 1024;
    if (size_bytes < k_step)
        return fmt::format("{} B", size_bytes);
    constexpr std::array k_units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    std::uint64_t unit = k_step, tenths = 0;
    std::size_t at = 0;
    for (;; unit *= k_step, ++at) {
        tenths = size_bytes / unit * 10 + (size_bytes % unit * 10 + unit / 2) / unit;
        if (tenths < k_step * 10 || at + 1 == k_units.size())
            break;
    }
    const auto fraction = tenths % 10 == 0 ? std::string() : fmt::format(".{}", tenths % 10);
    return fmt::format("{}{} {}", tenths / 10, fraction, k_units[at]);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text)
{
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t total = 0;
    if (text.empty())
        return std::nullopt;
    while (!text.empty()) {
        const auto number = take_decimal(text);
        const auto* unit = number ? take_duration_unit(text) : nullptr;
        const auto part = unit ? number->times(unit->size, limit) : std::nullopt;
        if (!part || *part > limit - total)
            return std::nullopt;
        total += *part;
    }
    return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::string print_duration(std::chrono::nanoseconds duration)
{
    auto rest = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    if (rest == 0)
        return "0s";
    std::string text;
    for (const Unit unit : {Unit{"d", 86'400'000'000'000}, Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}}) {
        if (rest >= unit.size)
            text += fmt::format("{}{}", rest / unit.size, unit.name);
        rest %= unit.size;
    }
    return text + print_below_a_minute(rest);
}

std::optional<std::uint64_t> parse_size(std::string_view text)
{
    const auto number = take_decimal(text);
    if (!number)
        return std::nullopt;
    constexpr std::string_view prefixes = "kmgtp";
    auto unit = to_lower(text);
    std::uint64_t factor = 1;
    if (!unit.empty()) {
        if (const auto power = prefixes.find(unit.front()); power != std::string_view::npos) {
            factor = std::uint64_t{1} << (10 * (power + 1));
            unit.erase(0, 1);
            if (unit == "ib")
                unit = "b";
        }
    }
    if (unit != "" && unit != "b")
        return std::nullopt;
    return number->times(factor, std::numeric_limits<std::int64_t>::max());
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator)
{
    return fmt::format("{}", fmt::join(parts, separator));
}

std::string some_of(const std::vector<std::string>& parts, std::size_t most)
{
    if (parts.size() <= most)
        return join(parts, ", ");
    return fmt::format("{} and {} more",
                       fmt::join(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(most), ", "),
                       parts.size() - most);
}

std::string_view trim(std::string_view text)
{
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string to_lower(std::string_view text)
{
    std::string result(text);
    for (auto& c : result)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return result;
}

namespace {

// Optimal string alignment: insertions, deletions, changes and swaps of neighbours count one each.
// Any of at least `limit` is told as `limit`: most words are far from each other, which shows after a few letters.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit)
{
    if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit)
        return limit;
    std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    std::size_t least_before = 0;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before.swap(previous);
        previous.swap(row);
        row[0] = i;
        auto least = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
            least = std::min(least, row[j]);
        }
        if (std::min(least, least_before) >= limit) // what comes is made of these two rows
            return limit;
        least_before = least;
    }
    return std::min(row[b.size()], limit);
}

} // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates)
{
    constexpr std::size_t k_longest = 64; // bounds the work that a hostile file can cause
    if (word.empty() || word.size() > k_longest)
        return std::nullopt;
    const auto lower = to_lower(word);
    auto best = std::clamp<std::size_t>((word.size() + 1) / 3, 1, 3) + 1;
    std::optional<std::string> found;
    for (const auto& candidate : candidates) {
        if (candidate.size() > k_longest)
            continue;
        const auto distance = edit_distance(lower, to_lower(candidate), best);
        // A word of which nothing is left is not near to anything.
        if (distance < best && distance < std::max(word.size(), candidate.size())) {
            best = distance;
            found = candidate;
        }
    }
    return found;
}

} // namespace gantry
