#include "runner/stage_reports.hpp"
#include "runner/store_layout.hpp"
#include "support/catch.hpp"

#include "base/file.hpp"
#include "base/scratch.hpp"

#include <filesystem>

using namespace gantry;
using namespace gantry::runner;

namespace {

std::string suite(const std::string& cases) { return "<testsuite name=\"cart\">" + cases + "</testsuite>"; }

struct ReportsWorld {
    Scratch scratch;
    pipeline::Artifacts artifacts;
    std::optional<StageResults> earlier;

    ReportsWorld() { artifacts.reports = {{"junit", {"**/junit.xml"}}, {"coverage", {"cov/*.info", "cov/*.xml"}}}; }

    std::string folder() const { return scratch.path(); }

    StageReports reports()
    {
        StageReports::Parts parts;
        parts.run_folder = folder();
        parts.stage = "test[gcc=13]";
        parts.mask = [](std::string text) {
            const auto at = text.find("hunter2");
            return at == std::string::npos ? text : text.replace(at, 7, "***");
        };
        parts.find_earlier = [this] { return earlier; };
        return {artifacts, std::move(parts)};
    }
};

const RunEvent* find(const std::vector<RunEvent>& events, RunEvent::Kind kind)
{
    for (const auto& event : events)
        if (event.kind == kind)
            return &event;
    return nullptr;
}

TestCase case_of(const char* name, TestCase::Result result)
{
    TestCase made;
    made.suite = "cart";
    made.name = name;
    made.result = result;
    return made;
}

} // namespace

TEST_CASE("reports are found by their globs, at any depth", "[reports]")
{
    ReportsWorld world;
    const auto reports = world.reports();
    CHECK(reports.any());
    CHECK(reports.wants("junit.xml"));
    CHECK(reports.wants("build/x/junit.xml"));
    CHECK(reports.wants("cov/all.info"));
    CHECK_FALSE(reports.wants("cov/deep/all.info"));
    CHECK_FALSE(reports.wants("junit.xml.bak"));
}

TEST_CASE("what the reports of a stage say is told, and kept beside its run", "[reports]")
{
    ReportsWorld world;
    auto reports = world.reports();
    reports.add(
        "a/junit.xml",
        suite("<testcase name='sum' time='2.5'/><testcase name='tax'><failure message='hunter2 != 3'/></testcase>"));
    reports.add("b/junit.xml", suite("<testcase name='db'><skipped/></testcase>"));
    reports.add("cov/all.info", "SF:a\nDA:1,1\nDA:2,0\nend_of_record\n");
    const auto events = reports.finish();

    REQUIRE(events.size() == 2);
    CHECK(events[0].message == "1 passed, 1 failed, 1 skipped");
    const auto summary = tests_summary(events[0]);
    CHECK(summary.failed_names == std::vector<std::string>{"cart › tax"});
    CHECK(summary.newly_failed == 0);
    REQUIRE(summary.slowest.size() == 1);
    CHECK(summary.slowest[0].name == "cart › sum");
    CHECK(summary.slowest[0].duration == std::chrono::milliseconds(2500));
    CHECK(events[1].message == "50.0 % of 2 lines");
    CHECK_FALSE(coverage_summary(events[1]).earlier_percent);
    const auto kept = find_results(world.folder(), "test[gcc=13]");
    REQUIRE(kept);
    CHECK(kept->tests->at(1).message == "*** != 3");
    CHECK(kept->coverage == LineCount{2, 1});
    CHECK_FALSE(find_results(world.folder(), "other"));
}

TEST_CASE("a test that fails now and did not before is newly failed and named first", "[reports]")
{
    using Result = TestCase::Result;
    ReportsWorld world;
    world.earlier.emplace();
    world.earlier->tests = {case_of("a", Result::failed), case_of("b", Result::failed), case_of("z", Result::passed)};
    world.earlier->coverage = LineCount{4, 3};
    auto reports = world.reports();
    reports.add(
        "junit.xml",
        suite("<testcase name='a'><error/></testcase><testcase name='b'/><testcase name='z'><failure/></testcase>"
              "<testcase name='b'/>"));
    reports.add("cov/a.info", "SF:a\nDA:1,1\nend_of_record\n");
    const auto events = reports.finish();

    const auto summary = tests_summary(events.at(0));
    CHECK(summary.failed == 2);
    CHECK(summary.newly_failed == 1);
    CHECK(summary.fixed == 1);
    CHECK(summary.failed_names == std::vector<std::string>{"cart › z", "cart › a"});
    CHECK(summary.newly_named == 1);
    CHECK(coverage_summary(events.at(1)).earlier_percent == 75.0);
}

TEST_CASE("a broken, missing or oversized report is a warning and hides nothing of the others", "[reports]")
{
    ReportsWorld world;
    auto reports = world.reports();
    reports.add("junit.xml", "<testsuite name='s'><testcase name='a'/><oops");
    reports.add("big/junit.xml", std::string(StageReports::k_file_limit_bytes + 1, ' '));
    const auto events = reports.finish();

    std::vector<std::string> warnings;
    for (const auto& event : events)
        if (event.kind == RunEvent::Kind::warning)
            warnings.push_back(event.message);
    REQUIRE(warnings.size() == 3);
    CHECK(warnings[0].find("big/junit.xml has 34 MB and is not read") != std::string::npos);
    CHECK(warnings[1] == "no file matches the report coverage: cov/*.info, cov/*.xml");
    CHECK(warnings[2] == "report junit.xml: line 1: unclosed token");
    REQUIRE(find(events, RunEvent::Kind::tests));
    CHECK(find(events, RunEvent::Kind::tests)->message == "1 passed, 0 failed, 0 skipped");
    CHECK_FALSE(find(events, RunEvent::Kind::coverage));
}

TEST_CASE("a damaged file of results counts as none", "[reports]")
{
    ReportsWorld world;
    write_results(world.folder(), "s", {std::vector{case_of("a", TestCase::Result::passed)}, std::nullopt});
    REQUIRE(find_results(world.folder(), "s"));
    for (const auto* damage : {"", "[", "{\"tests\": [1]}", "{\"tests\": [{\"name\": 1}]}"}) {
        write_file_atomic(world.folder() + "/reports/" + safe_file_name("s") + ".json", damage, 0600);
        CHECK_FALSE(find_results(world.folder(), "s"));
    }
}
