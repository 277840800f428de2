#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

struct TestCase {
    enum class Result { passed, failed, skipped };

    std::string suite; // its class or suite, as the report names it; may be empty
    std::string name;
    Result result = Result::passed;
    std::chrono::nanoseconds duration{0};
    std::string message; // of one that failed: what it says first, one line
    std::string place;   // "tests/cart_test.cpp:41"; empty where the report does not tell

    friend bool operator==(const TestCase&, const TestCase&) = default;
};

// "suite › name", or just the name.
std::string title_of(const TestCase& test);

struct TestReport {
    std::vector<TestCase> cases; // in the order of the report
    std::string problem;         // why there are not more: "line 12: no element found"; empty when all was read
};

inline constexpr std::size_t k_test_cases_limit = 100'000;

// JUnit XML as its many writers have it: <testcase> at any depth, with <failure> or <error> (failed), <skipped> (also by
// status="notrun" or "disabled"). A report that is broken gives the cases before the break. Texts go through `mask` whole, and
// are cut short afterwards: 1024 bytes each.
using TextMask = std::function<std::string(std::string)>;
TestReport parse_junit(std::string_view xml, const TextMask& mask = {});

} // namespace gantry::runner
