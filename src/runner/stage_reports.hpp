#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/glob.hpp"
#include "runner/report_results.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// The report files of one stage: `artifacts.reports`. They are given here while its artifacts are collected, whether the stage
// passed or not, and read at the end. A report that cannot be read is a warning and never fails a stage.
class StageReports {
public:
    static constexpr std::size_t k_file_limit_bytes = std::size_t(32) << 20;   // a larger one is not read
    static constexpr std::size_t k_total_limit_bytes = std::size_t(128) << 20; // nor are more than these, together

    struct Parts {
        std::string run_folder;                                    // its results are kept there
        std::string stage;                                         // id
        std::function<std::string(std::string)> mask;              // for all text that is kept or shown
        std::function<std::optional<StageResults>()> find_earlier; // to compare with; may be empty
    };
    // `artifacts` outlives it.
    StageReports(const pipeline::Artifacts& artifacts, Parts parts);

    // Whether there are any to look for.
    bool any() const { return !kinds_.empty(); }
    // Whether the file at this path, relative to the workspace, is a report.
    bool wants(const std::string& path) const;
    // It has this many bytes and is not given: too large.
    void too_large(const std::string& path, std::uint64_t size_bytes);
    // What it holds. Beyond the limits it is as with too_large().
    void add(const std::string& path, std::string bytes);

    // Reads them, keeps the results, compares them with the earlier ones: the events to be told, without stage and time. Blocks
    // (use on_pool); to be called once. Throws what writing a file throws.
    std::vector<RunEvent> finish();

private:
    struct Kind {
        std::string name; // "junit", "coverage"
        std::vector<std::string> patterns;
        std::vector<pipeline::Glob> globs;
        bool found = false;
    };
    struct File {
        std::string path, bytes;
        std::vector<std::string> kinds;
    };
    std::vector<std::string> kinds_of(const std::string& path) const;
    StageResults read(std::vector<RunEvent>& events) const;
    void mark_found(const std::string& path);

    Parts parts_;
    std::vector<Kind> kinds_;
    std::vector<File> files_;
    std::vector<std::string> problems_;
    std::size_t bytes_ = 0;
};

} // namespace gantry::runner
