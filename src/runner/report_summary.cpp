#include "runner/report_summary.hpp"

#include "base/format.hpp"
#include "runner/event_numbers.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace gantry::runner {

namespace {

using Result = TestCase::Result;

constexpr std::size_t k_names_shown = 10;
constexpr std::size_t k_slowest = 3;
constexpr auto k_slow = std::chrono::milliseconds(500);

// Titles of failed tests; one that ran several times failed if it did so once.
std::set<std::string> failed_in(const std::vector<TestCase>& tests)
{
    std::set<std::string> failed;
    for (const auto& test : tests)
        if (test.result == Result::failed)
            failed.insert(title_of(test));
    return failed;
}

std::set<std::string> passed_in(const std::vector<TestCase>& tests)
{
    std::set<std::string> passed;
    for (const auto& test : tests)
        if (test.result == Result::passed)
            passed.insert(title_of(test));
    for (const auto& failed : failed_in(tests))
        passed.erase(failed);
    return passed;
}

std::string slowest_of(std::vector<TestCase> tests)
{
    std::erase_if(tests, [](const TestCase& test) { return test.duration < k_slow; });
    std::stable_sort(tests.begin(), tests.end(),
                     [](const TestCase& a, const TestCase& b) { return a.duration > b.duration; });
    std::string text;
    for (std::size_t i = 0; i < std::min(tests.size(), k_slowest); ++i)
        text +=
            fmt::format("{}{} {}", i == 0 ? "" : "\n", tests[i].duration.count(), terminal_safe(title_of(tests[i])));
    return text;
}

std::vector<std::string> lines_of(const std::map<std::string, std::string>& outputs, const char* key)
{
    const auto found = outputs.find(key);
    return found == outputs.end() || found->second.empty() ? std::vector<std::string>() : split(found->second, '\n');
}

RunEvent tests_event(const std::vector<TestCase>& tests, const std::vector<TestCase>* earlier)
{
    std::array<int, 3> counts{};
    for (const auto& test : tests)
        ++counts[static_cast<std::size_t>(test.result)];
    const auto failed = failed_in(tests);
    std::vector<std::string> newly, still;
    std::size_t fixed = 0;
    if (earlier) {
        const auto before = failed_in(*earlier);
        for (const auto& name : failed)
            (before.contains(name) ? still : newly).push_back(name);
        const auto passed = passed_in(tests);
        fixed = static_cast<std::size_t>(
            std::count_if(before.begin(), before.end(), [&](const auto& name) { return passed.contains(name); }));
    } else {
        still.assign(failed.begin(), failed.end());
    }
    std::vector<std::string> names;
    for (const auto* list : {&newly, &still})
        for (const auto& name : *list)
            if (names.size() < k_names_shown)
                names.push_back(terminal_safe(name));

    RunEvent event;
    event.kind = RunEvent::Kind::tests;
    event.message = fmt::format("{} passed, {} failed, {} skipped", counts[0], counts[1], counts[2]);
    event.outputs = {{"passed", std::to_string(counts[0])},
                     {"failed", std::to_string(counts[1])},
                     {"skipped", std::to_string(counts[2])}};
    const auto put = [&](const char* key, const std::string& text) {
        if (!text.empty())
            event.outputs[key] = text;
    };
    if (earlier) {
        put("newly_failed", std::to_string(newly.size()));
        put("fixed", std::to_string(fixed));
    }
    put("failed_names", join(names, "\n"));
    put("slowest", slowest_of(tests));
    return event;
}

RunEvent coverage_event(const LineCount& count, const std::optional<LineCount>& earlier)
{
    RunEvent event;
    event.kind = RunEvent::Kind::coverage;
    event.message = fmt::format("{:.1f} % of {} lines", percent_of(count), count.lines);
    event.outputs = {{"lines", std::to_string(count.lines)},
                     {"covered", std::to_string(count.covered)},
                     {"percent", fmt::format("{:.2f}", percent_of(count))}};
    if (earlier)
        event.outputs["earlier_percent"] = fmt::format("{}", percent_of(*earlier)); // as it is: it is subtracted
    return event;
}

} // namespace

std::vector<RunEvent> events_of(const StageResults& now, const std::optional<StageResults>& earlier)
{
    std::vector<RunEvent> events;
    if (now.tests)
        events.push_back(tests_event(*now.tests, earlier && earlier->tests ? &*earlier->tests : nullptr));
    if (now.coverage)
        events.push_back(coverage_event(*now.coverage, earlier ? earlier->coverage : std::nullopt));
    return events;
}

TestsSummary tests_summary(const RunEvent& event)
{
    TestsSummary summary;
    summary.passed = number_in<int>(event, "passed");
    summary.failed = number_in<int>(event, "failed");
    summary.skipped = number_in<int>(event, "skipped");
    summary.newly_failed = number_in<int>(event, "newly_failed");
    summary.fixed = number_in<int>(event, "fixed");
    summary.failed_names = lines_of(event.outputs, "failed_names");
    summary.newly_named = std::min(summary.newly_failed, static_cast<int>(summary.failed_names.size()));
    for (const auto& line : lines_of(event.outputs, "slowest")) {
        const auto blank = line.find(' ');
        std::int64_t count = 0;
        std::from_chars(line.data(), line.data() + line.size(), count);
        if (blank != std::string::npos)
            summary.slowest.push_back({line.substr(blank + 1), std::chrono::nanoseconds(count)});
    }
    return summary;
}

CoverageSummary coverage_summary(const RunEvent& event)
{
    CoverageSummary summary;
    summary.count = {number_in<std::uint64_t>(event, "lines"), number_in<std::uint64_t>(event, "covered")};
    if (const auto found = event.outputs.find("earlier_percent"); found != event.outputs.end()) {
        double percent = 0;
        const auto [end, error] =
            std::from_chars(found->second.data(), found->second.data() + found->second.size(), percent);
        if (error == std::errc())
            summary.earlier_percent = percent;
    }
    return summary;
}

nlohmann::json to_json(const TestsSummary& summary)
{
    nlohmann::json json = {{"passed", summary.passed},   {"failed", summary.failed},
                           {"skipped", summary.skipped}, {"newly_failed", summary.newly_failed},
                           {"fixed", summary.fixed},     {"failed_names", summary.failed_names}};
    json["slowest"] = nlohmann::json::array();
    for (const auto& slow : summary.slowest)
        json["slowest"].push_back({{"name", slow.name}, {"duration_ns", slow.duration.count()}});
    return json;
}

nlohmann::json to_json(const CoverageSummary& summary)
{
    nlohmann::json json = {
        {"lines", summary.count.lines}, {"covered", summary.count.covered}, {"percent", percent_of(summary.count)}};
    if (summary.earlier_percent)
        json["earlier_percent"] = *summary.earlier_percent;
    return json;
}

void add_reported(std::vector<ReportedStage>& stages, const RunEvent& event)
{
    const bool is_tests = event.kind == RunEvent::Kind::tests;
    if (!is_tests && event.kind != RunEvent::Kind::coverage)
        return;
    auto stage = std::find_if(stages.begin(), stages.end(), [&](const auto& one) { return one.stage == event.stage; });
    if (stage == stages.end())
        stage = stages.insert(stages.end(), ReportedStage{event.stage, {}, {}});
    if (is_tests)
        stage->tests = tests_summary(event);
    else
        stage->coverage = coverage_summary(event);
}

} // namespace gantry::runner
