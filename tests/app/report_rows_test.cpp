#include "app/view/end_text.hpp"
#include "app/view/report_rows.hpp"
#include "golden.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::app;
using runner::RunEvent;
using Result = runner::TestCase::Result;
using namespace std::chrono_literals;

namespace {

runner::TestCase test_case(const char* name, Result result, std::chrono::nanoseconds duration = 0ns)
{
    runner::TestCase made;
    made.suite = "cart";
    made.name = name;
    made.result = result;
    made.duration = duration;
    return made;
}

// As a run whose stage had these results would tell it.
void tell(EndNotes& notes, const std::string& stage, const runner::StageResults& now,
          const std::optional<runner::StageResults>& before = {})
{
    for (auto& event : events_of(now, before)) {
        event.stage = stage;
        notes.add(event);
    }
}

std::string end_of(const EndNotes& notes, bool unicode = true)
{
    runner::RunSummary run;
    run.id = "17";
    run.state = runner::State::failure;
    run.cause = runner::Cause::failed;
    return render_end(
        run, notes, [](const runner::StepKey&, int) { return std::string(); }, Style{false, unicode});
}

} // namespace

TEST_CASE("the end of a run tells how many tests failed, which are new, the slowest, and the coverage", "[app]")
{
    EndNotes notes;
    runner::StageResults before, now, other;
    before.tests = {test_case("sum", Result::failed), test_case("tax", Result::passed),
                    test_case("rate", Result::failed)};
    before.coverage = runner::LineCount{200, 160};
    now.tests = {test_case("sum", Result::failed, 2500ms), test_case("tax", Result::failed),
                 test_case("rate", Result::passed, 700ms), test_case("later", Result::skipped)};
    now.coverage = runner::LineCount{200, 163};
    other.tests = {test_case("load", Result::failed), test_case("save", Result::passed)};
    tell(notes, "test[gcc=13]", now, before);
    tell(notes, "slow", other);

    test::check_golden("end_reports.txt", end_of(notes));
    test::check_golden("end_reports_ascii.txt", end_of(notes, false));
}

TEST_CASE("what a stage that ran again reports takes the place of what it had reported", "[app]")
{
    EndNotes notes;
    tell(notes, "test", {std::vector{test_case("sum", Result::failed)}, {}});
    tell(notes, "test", {std::vector{test_case("sum", Result::passed)}, {}});
    CHECK(tests_rows(notes.reported(), "17", {}) == std::vector<std::string>{"1 passed, 0 failed, 0 skipped"});
}

TEST_CASE("names in a report cannot move a terminal's cursor", "[app]")
{
    EndNotes notes;
    tell(notes, "test", {std::vector{test_case("a\x1b[2Jb\nc", Result::failed)}, {}});
    const auto rows = tests_rows(notes.reported(), "17", {});
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].find_first_of("\x1b\n") == std::string::npos);
    CHECK(failed_tests_text("test", {test_case("a\x1b[2J", Result::failed)}, {}).find('\x1b') == std::string::npos);
}
