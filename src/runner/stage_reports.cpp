#include "runner/stage_reports.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace gantry::runner {

namespace {

RunEvent warning(std::string message, std::string hint)
{
    RunEvent event;
    event.kind = RunEvent::Kind::warning;
    event.message = std::move(message);
    event.hint = std::move(hint);
    return event;
}

} // namespace

StageReports::StageReports(const pipeline::Artifacts& artifacts, Parts parts) : parts_(std::move(parts))
{
    for (const auto& [name, patterns] : artifacts.reports) {
        Kind kind{name, patterns, {}, false};
        for (const auto& pattern : patterns)
            kind.globs.emplace_back(pattern);
        kinds_.push_back(std::move(kind));
    }
}

std::vector<std::string> StageReports::kinds_of(const std::string& path) const
{
    std::vector<std::string> names;
    for (const auto& kind : kinds_)
        if (std::any_of(kind.globs.begin(), kind.globs.end(), [&](const auto& glob) { return glob.matches(path); }))
            names.push_back(kind.name);
    return names;
}

bool StageReports::wants(const std::string& path) const { return !kinds_of(path).empty(); }

void StageReports::mark_found(const std::string& path)
{
    for (const auto& name : kinds_of(path))
        for (auto& kind : kinds_)
            kind.found = kind.found || kind.name == name;
}

void StageReports::too_large(const std::string& path, std::uint64_t size_bytes)
{
    mark_found(path);
    problems_.push_back(terminal_safe(path) + " has " + format_size(size_bytes) +
                        " and is not read: a report may have " + format_size(k_file_limit_bytes) + ", all of a stage " +
                        format_size(k_total_limit_bytes));
}

void StageReports::add(const std::string& path, std::string bytes)
{
    if (bytes.size() > k_file_limit_bytes || bytes_ + bytes.size() > k_total_limit_bytes)
        return too_large(path, bytes.size());
    mark_found(path);
    bytes_ += bytes.size();
    files_.push_back({path, std::move(bytes), kinds_of(path)});
}

StageResults StageReports::read(std::vector<RunEvent>& events) const
{
    const auto tell = [&](const File& file, const std::string& problem) {
        if (!problem.empty())
            events.push_back(warning("report " + terminal_safe(file.path) + ": " + terminal_safe(problem),
                                     "what stands before it was read"));
    };
    StageResults results;
    CoverageReport coverage;
    for (const auto& file : files_)
        for (const auto& kind : file.kinds) {
            if (kind == "coverage") {
                tell(file, coverage.add(file.bytes));
                continue;
            }
            auto report = parse_junit(file.bytes, parts_.mask);
            tell(file, report.problem);
            if (!results.tests)
                results.tests.emplace();
            for (auto& test : report.cases) {
                if (results.tests->size() >= k_test_cases_limit)
                    break;
                results.tests->push_back(std::move(test));
            }
        }
    if (!coverage.empty())
        results.coverage = coverage.count();
    return results;
}

std::vector<RunEvent> StageReports::finish()
{
    std::vector<RunEvent> events;
    for (const auto& problem : problems_)
        events.push_back(warning("report " + problem, "write smaller reports, or several"));
    for (const auto& kind : kinds_)
        if (!kind.found)
            events.push_back(warning("no file matches the report " + terminal_safe(kind.name) + ": " +
                                         terminal_safe(join(kind.patterns, ", ")),
                                     "paths are relative to the workspace; **/ finds a file anywhere"));
    const auto results = read(events);
    if (results == StageResults())
        return events;
    write_results(parts_.run_folder, parts_.stage, results);
    for (auto& event : events_of(results, parts_.find_earlier ? parts_.find_earlier() : std::nullopt))
        events.push_back(std::move(event));
    return events;
}

} // namespace gantry::runner
