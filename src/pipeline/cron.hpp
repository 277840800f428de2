#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// What `on.schedule` says: when, and where it is that time.

namespace gantry::pipeline {

struct CronProblem {
    std::optional<std::size_t> offset; // of the part that is wrong, in bytes; nothing: all of the line is
    std::string message, hint;
};

// Why `line` is none of crontab(5): minute, hour, day, month, weekday. Each is a list of `*`, numbers and ranges, with a
// step where one is wanted (`*/15`, `8-18/2`; `5/15` goes to the end); months and weekdays have names, too, of three
// letters in any case; Sunday is 0 or 7. Nothing: it is one.
std::optional<CronProblem> cron_problem(std::string_view line);

// Whether it looks like a name of the IANA time zone database: Area/Place with an area that there is, or one of the names
// without an area. Which places there are, changes from year to year, and is not known here.
bool is_time_zone(std::string_view name);

} // namespace gantry::pipeline
