#include "pipeline/cron.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

// "4: what is wrong"; empty: nothing is.
std::string wrong_in(std::string_view line)
{
    const auto problem = cron_problem(line);
    if (!problem)
        return {};
    CHECK_FALSE(problem->hint.empty());
    return (problem->offset ? std::to_string(*problem->offset) + ": " : "") + problem->message;
}

} // namespace

TEST_CASE("a cron line has five fields of numbers, ranges, steps, lists and names", "[cron]")
{
    const std::string good = GENERATE(as<std::string>{}, "* * * * *", "0 3 * * *", "  59 23  31 12 7 ", "\t59\t23 \t31 12\t7\t", "*/15 8-18/2 1,15 * mon-fri",
                                      "0 0 1 JAN,jul Sun", "5/15 * * * *", "0 22 * * fri-sun", "0 0 * * 6-7", "0 0 * oct-dec 0", "00 03 * * *",
                                      "*/90 * * * *");
    CAPTURE(good);
    CHECK(wrong_in(good) == "");
}

TEST_CASE("what is wrong in a cron line is told where it stands", "[cron]")
{
    CHECK(wrong_in("99 3 * * *") == "0: '99' is not a minute");
    CHECK(wrong_in("0 24 * * *") == "2: '24' is not an hour");
    CHECK(wrong_in("0 3 0 * *") == "4: '0' is not a day of the month");
    CHECK(wrong_in("0 3 * 13 *") == "6: '13' is not a month");
    CHECK(wrong_in("0 3 * * 8") == "8: '8' is not a weekday");
    CHECK(wrong_in("0 3 * * mon-xyz") == "12: 'xyz' is not a weekday");
    CHECK(wrong_in("mon 3 * * *") == "0: 'mon' is not a minute");
    CHECK(wrong_in("*/0 * * * *") == "2: '0' is not a step");
    CHECK(wrong_in("*/x * * * *") == "2: 'x' is not a step");
    CHECK(wrong_in("*/ * * * *") == "2: '' is not a step");
    CHECK(wrong_in("0 3 31-1 * *") == "4: '31-1' ends before it begins");
    CHECK(wrong_in("1,,2 * * * *") == "2: '' is not a minute");
    CHECK(wrong_in("1- * * * *") == "2: '' is not a minute");
    CHECK(wrong_in("-1 * * * *") == "0: '' is not a minute");
    CHECK(wrong_in("0\t24\t* * *") == "2: '24' is not an hour");
    CHECK(wrong_in("0 3 L * *") == "4: 'L' is not a day of the month");
    CHECK(wrong_in("every day") == "'every day' is not a cron line");
    CHECK(wrong_in("@daily") == "'@daily' is not a cron line");
    CHECK(wrong_in("") == "'' is not a cron line");
    CHECK(wrong_in("0 3 * * * *") == "'0 3 * * * *' is not a cron line");
    CHECK(cron_problem("0 22-6 * * *")->hint == "the smaller one comes first; as two ranges: 22-23,0-6");
}

TEST_CASE("time zones have a known area, or are known by themselves", "[cron]")
{
    for (const auto* name : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires",
                             "Etc/GMT+1", "Etc/GMT-14", "America/Port-au-Prince", "EST5EDT", "GB-Eire", "US/Pacific"}) {
        CAPTURE(name);
        CHECK(is_time_zone(name));
    }
    for (const auto* name : {"", "Mars/Phobos", "Berlin", "europe/berlin", "Europe/",
                             "Europe", "/Europe/Berlin", "Europe//Berlin", "Europe/Ber lin", "../Europe/Berlin", "Europe/../UTC", "CEST"}) {
        CAPTURE(name);
        CHECK_FALSE(is_time_zone(name));
    }
}
