#include "app/view/report_rows.hpp"

#include "app/view/end_text.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gantry::app {

namespace {

using runner::ReportedStage;
using runner::TestsSummary;

// "test [gcc=13]: " where more than one stage has what `part` tells.
template <typename Part>
std::string title_of(const std::vector<ReportedStage>& stages, const ReportedStage& stage, Part part)
{
    const auto count =
        std::count_if(stages.begin(), stages.end(), [part](const auto& one) { return (one.*part).has_value(); });
    return count > 1 ? readable_stage(stage.stage) + ": " : std::string();
}

// "(cart › totals, newly)" of a single one, "(2 newly)" of several.
std::string which_failed(const TestsSummary& tests)
{
    if (tests.failed == 1 && tests.failed_names.size() == 1)
        return fmt::format(" ({}{})", terminal_safe(tests.failed_names.front()),
                           tests.newly_failed > 0 ? ", newly" : "");
    return tests.newly_failed > 0 ? fmt::format(" ({} newly)", tests.newly_failed) : "";
}

std::string counts_of(const TestsSummary& tests, const Style& style)
{
    auto failed = fmt::format("{} failed", tests.failed);
    if (tests.failed > 0)
        failed = style.red(failed);
    return fmt::format("{} passed, {}{}, {} skipped{}", tests.passed, failed, which_failed(tests), tests.skipped,
                       tests.fixed > 0 ? fmt::format(", {} fixed", tests.fixed) : "");
}

void add_failed(std::vector<std::string>& rows, const std::string& run, const TestsSummary& tests, const Style& style)
{
    if (tests.failed < 2)
        return;
    int number = 0;
    for (const auto& name : tests.failed_names)
        rows.push_back(style.red("✗") + " " + terminal_safe(name) + (number++ < tests.newly_named ? " (newly)" : ""));
    if (const auto named = static_cast<int>(tests.failed_names.size()); named < tests.failed)
        rows.push_back(fmt::format("… and {} more: gantry show {} --tests", tests.failed - named, run));
    else
        rows.push_back(style.dim("why: gantry show " + run + " --tests"));
}

std::string slowest_of(const TestsSummary& tests)
{
    std::vector<std::string> names;
    for (const auto& slow : tests.slowest)
        names.push_back(terminal_safe(slow.name) + " " + format_duration(slow.duration));
    return names.empty() ? "" : "slowest: " + join(names, ", ");
}

} // namespace

std::vector<std::string> tests_rows(const std::vector<ReportedStage>& stages, const std::string& run,
                                    const Style& style)
{
    std::vector<std::string> rows;
    for (const auto& stage : stages) {
        if (!stage.tests)
            continue;
        rows.push_back(title_of(stages, stage, &ReportedStage::tests) + counts_of(*stage.tests, style));
        add_failed(rows, run, *stage.tests, style);
        if (auto slowest = slowest_of(*stage.tests); !slowest.empty())
            rows.push_back(std::move(slowest));
    }
    return rows;
}

std::vector<std::string> coverage_rows(const std::vector<ReportedStage>& stages)
{
    std::vector<std::string> rows;
    for (const auto& stage : stages) {
        if (!stage.coverage)
            continue;
        const auto percent = percent_of(stage.coverage->count);
        auto text = fmt::format("{:.1f} % of {} lines", percent, stage.coverage->count.lines);
        if (stage.coverage->earlier_percent) {
            const auto change = percent - *stage.coverage->earlier_percent;
            text += fmt::format(", {:+.1f} since the run before", std::abs(change) < 0.05 ? 0.0 : change); // no "-0.0"
        }
        rows.push_back(title_of(stages, stage, &ReportedStage::coverage) + text);
    }
    return rows;
}

std::string failed_tests_text(const std::string& stage, const std::vector<runner::TestCase>& tests, const Style& style)
{
    int failed = 0;
    std::string text;
    for (const auto& test : tests) {
        if (test.result != runner::TestCase::Result::failed)
            continue;
        ++failed;
        text += "  " + style.red("✗") + " " + terminal_safe(runner::title_of(test));
        if (!test.place.empty())
            text += "  " + style.dim(terminal_safe(test.place));
        text += '\n';
        if (!test.message.empty())
            text += "      " + terminal_safe(test.message) + '\n';
    }
    return fmt::format("{}: {} of {} tests failed\n", readable_stage(stage), failed, tests.size()) + text;
}

} // namespace gantry::app
