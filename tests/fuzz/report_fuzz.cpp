// Test and coverage reports: whatever they hold, reading them ends, within its limits, and a text cut anywhere never gives more
// tests than the whole.

#include "base/utf8.hpp"
#include "runner/coverage_report.hpp"
#include "runner/test_report.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace gantry;
using namespace gantry::runner;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto report = parse_junit(bytes);
    for (const auto& test : report.cases)
        for (const auto* text : {&test.suite, &test.name, &test.message, &test.place})
            if (text->size() > 2048 || !is_utf8(*text))
                std::abort();
    if (parse_junit(bytes.substr(0, size / 2)).cases.size() > report.cases.size() + 1)
        std::abort();

    CoverageReport coverage;
    coverage.add(bytes);
    coverage.add(bytes);
    if (coverage.count().covered > coverage.count().lines)
        std::abort();
    return 0;
}
