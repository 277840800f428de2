#include "pipeline/cron.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace gantry::pipeline {

namespace {

constexpr std::array<std::string_view, 12> k_months = {"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> k_weekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct CronField {
    const char* what;
    int least, most;
    std::span<const std::string_view> names; // of `least` and what comes after it
};
constexpr std::array<CronField, 5> k_cron_fields = {{
    {"a minute", 0, 59, {}},
    {"an hour", 0, 23, {}},
    {"a day of the month", 1, 31, {}},
    {"a month", 1, 12, k_months},
    {"a weekday", 0, 7, k_weekdays},
}};

std::string shown(std::string_view text) { return terminal_safe(text.substr(0, 60)); }

// Thrown and caught in here.
struct CronRefusal {
    CronProblem problem;
};

class CronChecker {
public:
    explicit CronChecker(std::string_view line) : line_(line) {}

    void check()
    {
        std::vector<std::string_view> fields;
        for (std::size_t at = 0; at < line_.size();) {
            const auto end = std::min(line_.find_first_of(" \t", at), line_.size());
            if (end > at)
                fields.push_back(line_.substr(at, end - at));
            at = end + 1;
        }
        if (fields.size() != k_cron_fields.size())
            throw CronRefusal{{{}, fmt::format("'{}' is not a cron line", shown(line_)),
                               "five fields: minute hour day month weekday, such as \"0 3 * * *\""}};
        for (std::size_t i = 0; i < fields.size(); ++i)
            each_part(fields[i], ',', [&](std::string_view part) { check_part(part, k_cron_fields[i]); });
    }

private:
    [[noreturn]] void refuse(std::string_view where, std::string message, std::string hint) const
    {
        throw CronRefusal{{static_cast<std::size_t>(where.data() - line_.data()), std::move(message), std::move(hint)}};
    }

    template <typename Take> static void each_part(std::string_view text, char separator, Take take)
    {
        for (std::size_t at = 0; at <= text.size();) {
            const auto end = std::min(text.find(separator, at), text.size());
            take(text.substr(at, end - at));
            at = end + 1;
        }
    }

    // "*", "5", "mon-fri", and each of them with "/2".
    void check_part(std::string_view part, const CronField& field) const
    {
        const auto slash = part.find('/');
        if (slash != std::string_view::npos)
            check_step(part.substr(slash + 1));
        const auto range = part.substr(0, slash);
        if (range == "*")
            return;
        const auto dash = range.find('-');
        const int first = value_of(range.substr(0, dash), field);
        if (dash == std::string_view::npos)
            return;
        int last = value_of(range.substr(dash + 1), field);
        if (last == 0 && field.most == 7) // a range ends with Sunday
            last = 7;
        if (first > last)
            refuse(range, fmt::format("'{}' ends before it begins", shown(range)),
                   fmt::format("the smaller one comes first; as two ranges: {0}-{2},{3}-{1}", shown(range.substr(0, dash)),
                               shown(range.substr(dash + 1)), field.most == 7 ? 6 : field.most, field.least));
    }

    void check_step(std::string_view text) const
    {
        if (number_of(text).value_or(0) < 1)
            refuse(text, fmt::format("'{}' is not a step", shown(text)), "a number from 1, such as */15");
    }

    int value_of(std::string_view text, const CronField& field) const
    {
        const auto name = std::find(field.names.begin(), field.names.end(), to_lower(text));
        if (name != field.names.end())
            return field.least + static_cast<int>(name - field.names.begin());
        const auto number = number_of(text);
        if (!number || *number < field.least || *number > field.most)
            refuse(text, fmt::format("'{}' is not {}", shown(text), field.what),
                   field.names.empty() ? fmt::format("*, or numbers from {} to {}", field.least, field.most)
                                       : fmt::format("*, or numbers from {} to {}, or {}, {}, …", field.least, field.most,
                                                     field.names[0], field.names[1]));
        return *number;
    }

    static std::optional<int> number_of(std::string_view text)
    {
        int number = 0;
        const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool good = status == std::errc() && end == text.data() + text.size() && text.front() != '-';
        return good ? std::optional(number) : std::nullopt;
    }

    std::string_view line_;
};

// ---- time zones

constexpr std::string_view k_areas[] = {"Africa", "America", "Antarctica", "Arctic", "Asia",   "Atlantic", "Australia", "Brazil", "Canada",
                                        "Chile",  "Etc",     "Europe",     "Indian", "Mexico", "Pacific",  "US"};
constexpr std::string_view k_zones_without_area[] = {
    "CET",     "CST6CDT", "Cuba",   "EET",   "EST",     "EST5EDT",   "Egypt",  "Eire",    "GB",     "GB-Eire",   "GMT",       "GMT+0",
    "GMT-0",   "GMT0",    "Greenwich", "HST", "Hongkong", "Iceland", "Iran",   "Israel",  "Jamaica", "Japan",    "Kwajalein", "Libya",
    "MET",     "MST",     "MST7MDT", "NZ",   "NZ-CHAT", "Navajo",    "PRC",    "PST8PDT", "Poland", "Portugal",  "ROC",       "ROK",
    "Singapore", "Turkey", "UCT",   "UTC",   "Universal", "W-SU",    "WET",    "Zulu"};

} // namespace

std::optional<CronProblem> cron_problem(std::string_view line)
{
    try {
        CronChecker(line).check();
    } catch (CronRefusal& refusal) {
        return std::move(refusal.problem);
    }
    return std::nullopt;
}

bool is_time_zone(std::string_view name)
{
    const auto slash = name.find('/');
    if (slash == std::string_view::npos)
        return std::ranges::find(k_zones_without_area, name) != std::end(k_zones_without_area);
    const auto is_of_places = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';
    };
    const auto place = name.substr(slash + 1);
    return std::ranges::find(k_areas, name.substr(0, slash)) != std::end(k_areas) && !place.empty() && place.back() != '/' &&
           place.find("//") == std::string_view::npos && place.front() != '/' && std::ranges::all_of(place, is_of_places);
}

} // namespace gantry::pipeline
