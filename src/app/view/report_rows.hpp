#pragma once

#include "app/view/style.hpp"
#include "runner/report_summary.hpp"

#include <string>
#include <vector>

// What the reports of a run's stages say, as rows of its end. Safe for a terminal.

namespace gantry::app {

// "127 passed, 1 failed (cart › totals, newly), 0 skipped", then the failed ones where there are several, and the slowest. Each
// stage is named where several have some.
std::vector<std::string> tests_rows(const std::vector<runner::ReportedStage>& stages, const std::string& run,
                                    const Style& style);
// "81.3 % of 2300 lines, +0.4 since the run before"
std::vector<std::string> coverage_rows(const std::vector<runner::ReportedStage>& stages);

// The failed tests of a stage, each with its place and what it said: for `gantry show --tests`.
std::string failed_tests_text(const std::string& stage, const std::vector<runner::TestCase>& tests, const Style& style);

} // namespace gantry::app
