// The RFC 3339 half of format.hpp.
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry {

using namespace std::chrono;

namespace {

// Reads fixed fields from the front of a text; after the first mismatch everything fails.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    int number(std::size_t digits)
    {
        int value = 0;
        if (text_.size() < digits) {
            ok_ = false;
            return 0;
        }
        for (const char c : text_.substr(0, digits)) {
            ok_ = ok_ && c >= '0' && c <= '9';
            value = value * 10 + (c - '0');
        }
        text_.remove_prefix(digits);
        return ok_ ? value : 0;
    }

    bool take(char c)
    {
        if (text_.empty() || text_.front() != c)
            return false;
        text_.remove_prefix(1);
        return true;
    }

    void expect(bool taken) { ok_ = ok_ && taken; }

    // ".123456789": digits after the ninth are dropped.
    nanoseconds fraction()
    {
        if (!take('.'))
            return nanoseconds(0);
        std::int64_t value = 0;
        std::int64_t weight = 100'000'000;
        std::size_t digits = 0;
        for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits, weight /= 10)
            value += (text_[digits] - '0') * weight;
        text_.remove_prefix(digits);
        expect(digits > 0);
        return nanoseconds(value);
    }

    minutes offset()
    {
        if (take('Z') || take('z'))
            return minutes(0);
        const bool west = take('-');
        expect(west || take('+'));
        const int hour = number(2);
        expect(take(':'));
        const int minute = number(2);
        expect(hour < 24 && minute < 60);
        return minutes((hour * 60 + minute) * (west ? -1 : 1));
    }

    bool at_end() const { return ok_ && text_.empty(); }

private:
    std::string_view text_;
    bool ok_ = true;
};

template <typename Duration>
std::string print_time(sys_time<Duration> time)
{
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<milliseconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

} // namespace

std::string format_time(system_clock::time_point time) { return print_time(time); }

std::string format_seconds(std::int64_t since_1970)
{
    constexpr sys_seconds k_first = sys_days(year(1) / 1 / 1), k_last = sys_days(year(10000) / 1 / 1) - seconds(1);
    return print_time(std::clamp(sys_seconds(seconds(since_1970)), k_first, k_last));
}

std::optional<system_clock::time_point> parse_time(std::string_view text)
{
    Reader reader(text);
    const int year_number = reader.number(4);
    reader.expect(reader.take('-'));
    const int month_number = reader.number(2);
    reader.expect(reader.take('-'));
    const int day_number = reader.number(2);
    reader.expect(reader.take('T') || reader.take('t') || reader.take(' '));
    const int hour = reader.number(2);
    reader.expect(reader.take(':'));
    const int minute = reader.number(2);
    reader.expect(reader.take(':'));
    const int second = reader.number(2); // 60 is a leap second
    const auto fraction = reader.fraction();
    const auto offset = reader.offset();

    const year_month_day date(year(year_number), month(static_cast<unsigned>(month_number)),
                              day(static_cast<unsigned>(day_number)));
    // system_clock counts nanoseconds in 64 bits: 1677 to 2262.
    if (!reader.at_end() || !date.ok() || year_number < 1678 || year_number > 2261 || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + fraction - offset;
}

} // namespace gantry
