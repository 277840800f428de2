#include "runner/test_report.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"
#include "runner/xml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace gantry::runner {

namespace {

constexpr std::size_t k_message_limit_bytes = 4096;
constexpr std::size_t k_case_limit_bytes = 1024;
constexpr double k_longest_seconds = 1e9;

// "1.25"; "1,234.5" as some writers group digits.
std::chrono::nanoseconds seconds_of(std::string text)
{
    std::erase(text, ',');
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || !(seconds > 0) || seconds > k_longest_seconds)
        return {};
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

class JunitHandler final : public XmlHandler {
public:
    explicit JunitHandler(const TextMask& mask) : mask_(mask) {}

    void begin(const XmlElement& element) override
    {
        const auto name = to_lower(element.name);
        if (name == "testsuite" || name == "testsuites") {
            is_junit_ = true;
            if (name == "testsuite")
                suites_.push_back(shown(element.attribute("name")));
        } else if (name == "testcase") {
            is_junit_ = true;
            begin_case(element);
        } else if (test_ && (name == "failure" || name == "error")) {
            fail(element);
        } else if (test_ && name == "skipped" && test_->result == TestCase::Result::passed) {
            test_->result = TestCase::Result::skipped;
        }
    }

    void text(std::string_view text) override
    {
        if (in_failure_ && text_.size() < k_message_limit_bytes)
            text_ += text.substr(0, k_message_limit_bytes - text_.size());
    }

    void end(std::string_view element) override
    {
        const auto name = to_lower(element);
        if (name == "testsuite" && !suites_.empty()) {
            suites_.pop_back();
        } else if (name == "failure" || name == "error") {
            in_failure_ = false;
            if (test_ && test_->message.empty())
                test_->message = first_line(text_);
        } else if (name == "testcase" && test_) {
            if (cases_.size() < k_test_cases_limit)
                cases_.push_back(std::move(*test_));
            else
                too_many_ = true;
            test_.reset();
        }
    }

    TestReport finish(std::string problem)
    {
        TestReport report;
        report.cases = std::move(cases_);
        report.problem = std::move(problem);
        if (report.problem.empty() && !is_junit_)
            report.problem = "there is no test suite in it";
        if (report.problem.empty() && too_many_)
            report.problem = "only the first " + std::to_string(k_test_cases_limit) + " tests are read";
        return report;
    }

private:
    std::string shown(std::string_view text, std::size_t limit_bytes = k_case_limit_bytes) const
    {
        std::string whole(text);
        if (mask_)
            whole = mask_(std::move(whole));
        return std::string(first_bytes(whole, limit_bytes));
    }

    std::string first_line(std::string_view text) const
    {
        const auto whole = shown(text, text.size());
        const auto inner = trim(whole);
        return std::string(first_bytes(trim(inner.substr(0, inner.find('\n'))), k_case_limit_bytes));
    }

    void begin_case(const XmlElement& element)
    {
        test_.emplace();
        in_failure_ = false;
        const auto& suite = element.attribute("classname");
        test_->suite = shown(!suite.empty() || suites_.empty() ? suite : suites_.back());
        test_->name = shown(element.attribute("name"));
        test_->duration = seconds_of(element.attribute("time"));
        test_->place = shown(element.attribute("file"));
        if (const auto& line = element.attribute("line"); !test_->place.empty() && !line.empty())
            test_->place += ":" + shown(line, 20);
        const auto status = to_lower(element.attribute("status"));
        if (status == "notrun" || status == "disabled" || status == "skipped")
            test_->result = TestCase::Result::skipped;
    }

    void fail(const XmlElement& element)
    {
        test_->result = TestCase::Result::failed;
        in_failure_ = true;
        text_.clear();
        if (test_->message.empty())
            test_->message = first_line(element.attribute("message"));
    }

    const TextMask& mask_;
    bool is_junit_ = false, too_many_ = false, in_failure_ = false;
    std::vector<std::string> suites_;
    std::optional<TestCase> test_;
    std::string text_;
    std::vector<TestCase> cases_;
};

} // namespace

std::string title_of(const TestCase& test) { return test.suite.empty() ? test.name : test.suite + " › " + test.name; }

TestReport parse_junit(std::string_view xml, const TextMask& mask)
{
    JunitHandler handler(mask);
    auto problem = read_xml(xml, handler);
    return handler.finish(std::move(problem));
}

} // namespace gantry::runner
