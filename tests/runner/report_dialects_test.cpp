#include "runner/coverage_report.hpp"
#include "runner/test_report.hpp"
#include "support/catch.hpp"
#include "support/source_dir.hpp"

#include "base/file.hpp"

#include <array>
#include <ostream>

using namespace gantry;
using namespace gantry::runner;

namespace {

std::string bytes_of(const std::string& name)
{
    return read_file(test::source_dir() + "/tests/data/reports/" + name, 1 << 20);
}

struct Expected {
    const char* file;
    std::array<int, 3> counts;            // passed, failed, skipped
    const char *failed, *message, *place; // of the first that failed
};

} // namespace

TEST_CASE("reports of the usual test frameworks tell the same kind of story", "[reports]")
{
    const auto expected = GENERATE(
        Expected{"pytest.xml", {1, 2, 1}, "tests.test_cart › test_total[3-30]", "assert 29 == 30", ""},
        Expected{"surefire.xml", {1, 1, 1}, "shop.CartTest › total", "expected: <30> but was: <29>", ""},
        Expected{"gotestsum.xml", {1, 1, 1}, "example.org/shop/cart › TestTotal/three_apples", "Failed", ""},
        Expected{"jest.xml",
                 {1, 1, 0},
                 "cart adds up three apples › cart adds up three apples",
                 "Error: expect(received).toBe(expected)",
                 "src/cart.test.js"},
        Expected{"catch2.xml", {1, 1, 0}, "cart_tests.global › a cart adds up/three apples", "total == 30", ""},
        Expected{"ctest.xml", {1, 1, 2}, "cart › cart", "Failed", ""},
        Expected{"phpunit.xml",
                 {1, 1, 0},
                 "Shop.CartTest › testTotal with data set #0",
                 "Shop\\CartTest::testTotal with data set #0 (3, 30)",
                 "/work/tests/CartTest.php:14"},
        Expected{"bazel.xml", {0, 1, 0}, "cart/cart_test › cart/cart_test", "exited with error code 1", ""});
    INFO(expected.file);

    const auto report = parse_junit(bytes_of(expected.file));

    CHECK(report.problem.empty());
    std::array<int, 3> counts{};
    const TestCase* failed = nullptr;
    for (const auto& test : report.cases) {
        ++counts[static_cast<std::size_t>(test.result)];
        if (!failed && test.result == TestCase::Result::failed)
            failed = &test;
    }
    CHECK(counts == expected.counts);
    REQUIRE(failed);
    CHECK(title_of(*failed) == expected.failed);
    CHECK(failed->message == expected.message);
    CHECK(failed->place == expected.place);
}

TEST_CASE("coverage of Cobertura and of LCOV is counted alike", "[reports]")
{
    CoverageReport cobertura, lcov;
    CHECK(cobertura.add(bytes_of("cobertura.xml")).empty());
    CHECK(cobertura.count() == LineCount{4, 3});
    CHECK(lcov.add(bytes_of("lcov.info")).empty());
    CHECK(lcov.count() == LineCount{3, 2});
}
