#include "runner/coverage_report.hpp"
#include "runner/test_report.hpp"
#include "runner/xml_reader.hpp"
#include "support/catch.hpp"

using namespace gantry::runner;
using Result = TestCase::Result;
using namespace std::chrono_literals;

namespace {

TestReport junit(const std::string& inside) { return parse_junit("<testsuites>" + inside + "</testsuites>"); }

std::vector<std::string> titles(const TestReport& report)
{
    std::vector<std::string> all;
    for (const auto& test : report.cases)
        all.push_back(title_of(test));
    return all;
}

} // namespace

TEST_CASE("a JUnit report tells how each test ended, how long it took, where it is and what it said", "[reports]")
{
    const auto report = parse_junit(R"(<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4">
<testcase classname="tests.test_cart" name="test_empty" time="0.001" file="tests/test_cart.py" line="7"/>
<testcase classname="tests.test_cart" name="test_total" time="1,002.5"><failure message="assert 29 == 30">more
lines</failure></testcase>
<testcase classname="tests.test_cart" name="test_db" time="0"><error message="">

  connection refused
  at connect()</error></testcase>
<testcase classname="tests.test_cart" name="test_later"><skipped message="not yet"/></testcase>
</testsuite></testsuites>)");

    CHECK(report.problem.empty());
    REQUIRE(report.cases.size() == 4);
    CHECK(report.cases[0] ==
          TestCase{"tests.test_cart", "test_empty", Result::passed, 1ms, "", "tests/test_cart.py:7"});
    CHECK(report.cases[1] ==
          TestCase{"tests.test_cart", "test_total", Result::failed, 1002500ms, "assert 29 == 30", ""});
    CHECK(report.cases[2] == TestCase{"tests.test_cart", "test_db", Result::failed, 0ms, "connection refused", ""});
    CHECK(report.cases[3].result == Result::skipped);
}

TEST_CASE("a test without a class belongs to the suite around it, however deep", "[reports]")
{
    const auto report = junit(R"(<testsuite name="outer"><testsuite name="inner"><testcase name="a"/></testsuite>
        <testcase name="b"/></testsuite><testcase name="c"/>)");
    CHECK(titles(report) == std::vector<std::string>{"inner › a", "outer › b", "c"});
}

TEST_CASE("writers' own ways to say that a test did not run are known", "[reports]")
{
    const auto report = junit(R"(<testsuite name="g"><testcase name="gtest" status="notrun" time="0"/>
        <testcase name="ctest" status="disabled"/><testcase name="ran" status="run"/>
        <testcase name="again"><rerunFailure message="once">x</rerunFailure></testcase>
        <testcase name="both"><failure/><skipped/></testcase></testsuite>)");
    std::vector<Result> results;
    for (const auto& test : report.cases)
        results.push_back(test.result);
    CHECK(results ==
          std::vector<Result>{Result::skipped, Result::skipped, Result::passed, Result::passed, Result::failed});
}

TEST_CASE("of a broken JUnit report the tests before the break are read, and the break is told", "[reports]")
{
    const auto cut = parse_junit("<testsuite name=\"s\">\n<testcase name=\"a\"/>\n<testcase name=\"b\"><fail");
    CHECK(titles(cut) == std::vector<std::string>{"s › a"});
    CHECK(cut.problem == "line 3: unclosed token");

    const auto crossed = junit("<testsuite name=\"s\"><testcase name=\"a\"/></testcase>");
    CHECK(titles(crossed) == std::vector<std::string>{"s › a"});
    CHECK(crossed.problem == "line 1: mismatched tag");

    CHECK(parse_junit("").problem == "line 1: no element found");
    CHECK(parse_junit("<html/>").problem == "there is no test suite in it");
    CHECK(parse_junit("<testsuites/>").problem.empty());
}

TEST_CASE("bytes that XML may not have are read as question marks", "[reports]")
{
    const auto colours = junit("<testcase name=\"a\x1b[31m\"><failure>\x01 \xff bad</failure></testcase>");
    REQUIRE(colours.cases.size() == 1);
    CHECK(colours.problem.empty());
    CHECK(colours.cases[0].name == "a?[31m");
    CHECK(colours.cases[0].message == "? ? bad");

    const auto latin = parse_junit(
        "<?xml version='1.0' encoding='windows-1252'?><testsuite name='s'><testcase name='caf\xe9'/></testsuite>");
    REQUIRE(latin.cases.size() == 1);
    CHECK(latin.cases[0].name == "café");
}

TEST_CASE("entities that a report declares are refused, so that none can grow or read a file", "[reports]")
{
    const auto report = parse_junit(R"(<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>
<testsuite name="s"><testcase name="&b;"/></testsuite>)");
    CHECK(report.cases.empty());
    CHECK(report.problem == "line 1: it declares entities, which no report needs");
    CHECK(junit("<testcase name='&lt;T&gt;'/>").cases.at(0).name == "<T>");
}

TEST_CASE("a report is not followed deeper than 64 elements, and names are cut", "[reports]")
{
    std::string deep;
    for (int i = 0; i < 100; ++i)
        deep += "<testsuite name='d'>";
    CHECK(parse_junit(deep).problem == "line 1: elements are nested deeper than 64");
    CHECK(junit("<testcase name='" + std::string(5000, 'x') + "'/>").cases.at(0).name.size() == 1024);
    CHECK(parse_junit("<testsuite name='" + std::string(70'000, 'x') + "'/>").problem ==
          "line 1: an element has attributes of more than 64 KiB");
}

TEST_CASE("Cobertura's lines count once for each file, whichever class or method holds them", "[reports]")
{
    CoverageReport coverage;
    CHECK(
        coverage
            .add(
                R"(<?xml version="1.0"?><coverage line-rate="0.5" lines-valid="99" lines-covered="1"><packages><package><classes>
<class filename="a.py"><methods><method><lines><line number="1" hits="1"/></lines></method></methods>
<lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class>
<class filename="a.py"><lines><line number="2" hits="3"/><line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>)")
            .empty());
    CHECK(coverage.count() == LineCount{3, 2});

    CoverageReport numbers;
    CHECK(numbers.add(R"(<coverage lines-valid="200" lines-covered="150"/>)").empty());
    CHECK(percent_of(numbers.count()) == 75.0);
}

TEST_CASE("LCOV tracefiles are put together with other reports by file and line", "[reports]")
{
    CoverageReport coverage;
    CHECK(coverage.add("TN:\nSF:src/a.c\nFN:1,main\nDA:1,5\nDA:2,0\nDA:3,1,checksum\nLF:3\nLH:2\nend_of_record\r\n")
              .empty());
    CHECK(coverage.add("SF:src/a.c\nDA:2,1\nend_of_record\nSF:src/b.c\nDA:1,0\nDA:2,-1\nend_of_record\n").empty());
    CHECK(coverage.count() == LineCount{5, 3});
}

TEST_CASE("a broken coverage report counts as far as it goes", "[reports]")
{
    CoverageReport coverage;
    CHECK(coverage.add("SF:a\nDA:1,1\nDA:x\nDA:2,0\n") == "line 3: not DA:line,hits within a record");
    CHECK(coverage.count() == LineCount{2, 1});
    CHECK(CoverageReport().add("hello\n") == "it is neither Cobertura's XML nor an LCOV tracefile");
    CHECK(CoverageReport().add("<html/>") == "it is neither Cobertura's XML nor an LCOV tracefile");
    CHECK(CoverageReport().add("SF:a\nDA:1,1\n") == "its last record does not end");
    CHECK(CoverageReport().empty());
}

TEST_CASE("texts are masked before they are cut short", "[reports]")
{
    const std::string secret = "swordfish";
    const auto without = [&](std::string text) {
        for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret))
            text.replace(at, secret.size(), "***");
        return text;
    };
    const auto straddles = std::string(1020, 'x') + secret;
    const auto report = parse_junit("<testsuite name='" + straddles + "'><testcase name='" + straddles + "' file='" + straddles +
                                        "'><failure message='" + straddles + "'/></testcase><testcase name='b'><failure>" + straddles +
                                        "</failure></testcase></testsuite>",
                                    without);
    REQUIRE(report.cases.size() == 2);
    const auto shown = std::string(1020, 'x') + "***";
    CHECK(report.cases[0].suite == shown);
    CHECK(report.cases[0].name == shown);
    CHECK(report.cases[0].place == shown);
    CHECK(report.cases[0].message == shown);
    CHECK(report.cases[1].message == shown);
}
