#include "runner/coverage_report.hpp"

#include "base/format.hpp"
#include "runner/xml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace gantry::runner {

namespace {

constexpr std::size_t k_lines_limit = 5'000'000;
constexpr std::size_t k_path_limit_bytes = 4096;

std::optional<std::uint64_t> number_in(std::string_view text)
{
    text = trim(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

std::string_view next_part(std::string_view& text, char separator)
{
    const auto end = text.find(separator);
    const auto part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return part;
}

} // namespace

double percent_of(const LineCount& count)
{
    return count.lines == 0 ? 100.0 : 100.0 * static_cast<double>(count.covered) / static_cast<double>(count.lines);
}

// <class filename="…"> holds <line number="…" hits="…"/>, once below its methods and once more below itself.
class CoberturaHandler final : public XmlHandler {
public:
    explicit CoberturaHandler(CoverageReport& report) : report_(report) {}

    void begin(const XmlElement& element) override
    {
        if (element.name == "coverage") {
            is_cobertura_ = true;
            whole_.lines = number_in(element.attribute("lines-valid")).value_or(0);
            whole_.covered = std::min(number_in(element.attribute("lines-covered")).value_or(0), whole_.lines);
        } else if (element.name == "class") {
            file_ = element.attribute("filename").substr(0, k_path_limit_bytes);
        } else if (element.name == "line" && !file_.empty()) {
            const auto line = number_in(element.attribute("number"));
            const auto hits = number_in(element.attribute("hits"));
            if (line && hits) {
                report_.add_line(file_, *line, *hits > 0);
                has_lines_ = true;
            }
        }
    }

    void text(std::string_view) override {}

    void end(std::string_view name) override
    {
        if (name == "class")
            file_.clear();
    }

    bool is_cobertura() const { return is_cobertura_; }
    LineCount rest() const { return has_lines_ ? LineCount() : whole_; }

private:
    CoverageReport& report_;
    std::string file_;
    bool is_cobertura_ = false, has_lines_ = false;
    LineCount whole_;
};

void CoverageReport::add_line(const std::string& file, std::uint64_t line, bool covered)
{
    if (lines_ >= k_lines_limit) {
        too_many_ = true;
        return;
    }
    const auto [at, is_new] = files_[file].emplace(line, covered);
    lines_ += is_new ? 1 : 0;
    at->second = at->second || covered;
}

std::string CoverageReport::add_cobertura(std::string_view xml)
{
    CoberturaHandler handler(*this);
    auto problem = read_xml(xml, handler);
    const auto rest = handler.rest();
    counted_.lines += rest.lines;
    counted_.covered += rest.covered;
    if (problem.empty() && !handler.is_cobertura())
        problem = "it is neither Cobertura's XML nor an LCOV tracefile";
    return problem;
}

// SF:<file>, then DA:<line>,<hits>[,<checksum>] for each line, then end_of_record.
std::string CoverageReport::add_lcov(std::string_view text)
{
    std::string file, problem;
    bool has_record = false;
    for (std::uint64_t number = 1; !text.empty(); ++number) {
        auto line = trim(next_part(text, '\n'));
        if (line.starts_with("SF:")) {
            file = line.substr(3, k_path_limit_bytes);
            has_record = true;
        } else if (line.starts_with("DA:")) {
            line.remove_prefix(3);
            const auto at = number_in(next_part(line, ','));
            const auto hits = next_part(line, ',');
            if (at && !hits.empty() && !file.empty())
                add_line(file, *at, number_in(hits).value_or(hits.front() == '-' ? 0 : 1) > 0);
            else if (problem.empty())
                problem = "line " + std::to_string(number) + ": not DA:line,hits within a record";
        } else if (line == "end_of_record") {
            file.clear();
        }
    }
    if (!has_record)
        return "it is neither Cobertura's XML nor an LCOV tracefile";
    if (problem.empty() && !file.empty())
        problem = "its last record does not end";
    return problem;
}

std::string CoverageReport::add(std::string_view bytes)
{
    auto start = bytes;
    if (start.starts_with("\xef\xbb\xbf"))
        start.remove_prefix(3);
    const bool is_xml =
        trim(start.substr(0, 1024)).starts_with('<') || bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
    auto problem = is_xml ? add_cobertura(bytes) : add_lcov(start);
    if (problem.empty() && too_many_)
        problem = "only the first " + std::to_string(k_lines_limit) + " lines are counted";
    return problem;
}

LineCount CoverageReport::count() const
{
    LineCount count = counted_;
    for (const auto& [file, lines] : files_) {
        count.lines += lines.size();
        count.covered += static_cast<std::uint64_t>(
            std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.second; }));
    }
    return count;
}

} // namespace gantry::runner
