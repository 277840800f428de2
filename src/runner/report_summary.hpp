#pragma once

#include "runner/coverage_report.hpp"
#include "runner/report.hpp"
#include "runner/test_report.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

// What the reports of a stage say together, as the events `tests` and `coverage` tell it. Pure.

namespace gantry::runner {

struct StageResults {
    std::optional<std::vector<TestCase>> tests; // absent: no test report
    std::optional<LineCount> coverage;          // absent: no coverage report
    friend bool operator==(const StageResults&, const StageResults&) = default;
};

// The events `tests` and `coverage`, without stage and time.
std::vector<RunEvent> events_of(const StageResults& now, const std::optional<StageResults>& earlier);

// What the event `tests` says in its outputs.
struct TestsSummary {
    int passed = 0, failed = 0, skipped = 0;
    int newly_failed = 0, fixed = 0;       // against the earlier run; both 0 where there is none
    std::vector<std::string> failed_names; // newly failed ones first; at most 10
    int newly_named = 0;                   // how many of failed_names are newly failed
    struct Slow {
        std::string name;
        std::chrono::nanoseconds duration{0};
    };
    std::vector<Slow> slowest; // at most 3, of half a second and more
};
TestsSummary tests_summary(const RunEvent& event);
nlohmann::json to_json(const TestsSummary& summary);

struct CoverageSummary {
    LineCount count;
    std::optional<double> earlier_percent;
};
CoverageSummary coverage_summary(const RunEvent& event);
nlohmann::json to_json(const CoverageSummary& summary);

// What a run's events tell of the reports of one of its stages.
struct ReportedStage {
    std::string stage; // id
    std::optional<TestsSummary> tests;
    std::optional<CoverageSummary> coverage;
};
// Takes the events `tests` and `coverage` into account, and no others. The last of a stage counts: it ran again.
void add_reported(std::vector<ReportedStage>& stages, const RunEvent& event);

} // namespace gantry::runner
