#include "app/junit.hpp"

#include "app/view/outcome.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace gantry::app {

using runner::State;

namespace {

// XML 1.0 has no room for most control characters, escaped or not: they become visible text.
std::string xml(std::string_view text)
{
    std::string out;
    std::string part;
    const auto flush = [&] {
        for (const char c : terminal_safe(part)) {
            switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
            }
        }
        part.clear();
    };
    for (const char c : text) {
        if (c != '\n') {
            part += c;
            continue;
        }
        flush();
        out += '\n';
    }
    flush();
    // U+FFFE and U+FFFF are UTF-8, but no XML.
    for (const char* forbidden : {"\xef\xbf\xbe", "\xef\xbf\xbf"})
        for (auto at = out.find(forbidden); at != std::string::npos; at = out.find(forbidden))
            out.replace(at, 3, "?");
    return out;
}

std::string seconds(std::chrono::nanoseconds duration)
{
    return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

// What a step's case says: nothing for passed, <failure> for what the step did, <error> for what kept it from doing it.
std::string verdict(const runner::StepSummary& step, const std::function<std::string(const runner::StepKey&, int)>& tail)
{
    if (step.state == State::success)
        return {};
    if (!went_wrong(step.state) || step.allowed_failure || step.state == State::cancelled)
        return fmt::format("      <skipped message=\"{}\"/>\n", xml(is_final(step.state) ? outcome_of(step) : "it did not run"));
    const char* element = step.state == State::error ? "error" : "failure";
    const auto lines = step.log_bytes > 0 ? tail({step.stage, step.step, step.attempt}, k_tail_lines) : std::string();
    return fmt::format("      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n", element, to_string(step.cause),
                       xml(reason_of(step)), xml(lines));
}

struct Counts {
    int tests = 0, failures = 0, errors = 0, skipped = 0;

    void add(const std::string& said)
    {
        ++tests;
        failures += said.find("<failure") != std::string::npos ? 1 : 0;
        errors += said.find("<error") != std::string::npos ? 1 : 0;
        skipped += said.find("<skipped") != std::string::npos ? 1 : 0;
    }
    std::string text() const
    {
        return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", tests, failures, errors, skipped);
    }
};

} // namespace

void write_junit(const runner::RunSummary& summary, const std::string& file,
                 const std::function<std::string(const runner::StepKey&, int lines)>& tail)
{
    Counts all;
    std::string suites;
    for (const auto& stage : summary.stages) {
        Counts counts;
        std::string cases;
        const auto add_case = [&](const std::string& name, std::chrono::nanoseconds duration, const std::string& said) {
            counts.add(said);
            all.add(said);
            const auto head = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"", xml(stage.stage), xml(name), seconds(duration));
            cases += said.empty() ? head + "/>\n" : head + ">\n" + said + "    </testcase>\n";
        };
        for (const auto& step : stage.steps)
            add_case(step.step, step.duration, verdict(step, tail));
        // It broke off before or after its steps.
        if (stage.state == State::error && counts.failures + counts.errors == 0)
            add_case("stage", stage.duration,
                     fmt::format("      <error type=\"{}\" message=\"{}\"></error>\n", to_string(stage.cause), xml(stage.message)));
        suites += fmt::format("  <testsuite name=\"{}\" {} time=\"{}\" timestamp=\"{}\">\n{}  </testsuite>\n", xml(stage.stage),
                              counts.text(), seconds(stage.duration), format_time(summary.started).substr(0, 19), cases);
    }
    const auto text = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {} time=\"{}\">\n{}</testsuites>\n",
                                  xml(summary.pipeline), all.text(), seconds(summary.finished - summary.started), suites);
    // What a link means is replaced, not the link.
    write_file_atomic(std::filesystem::weakly_canonical(file).string(), text, 0644);
}

} // namespace gantry::app
