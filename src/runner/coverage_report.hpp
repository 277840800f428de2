#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace gantry::runner {

struct LineCount {
    std::uint64_t lines = 0;   // that could run
    std::uint64_t covered = 0; // and did
    friend bool operator==(const LineCount&, const LineCount&) = default;
};
// 0 to 100; 100 where there is nothing to cover.
double percent_of(const LineCount& count);

// Which lines ran, put together from reports in Cobertura's XML and in LCOV's tracefile format (geninfo(1)): a line that several
// tell of was covered when one of them says so.
class CoverageReport {
public:
    // Takes in one more report. Returns why not all of it could be read; empty when it was.
    std::string add(std::string_view bytes);

    bool empty() const { return files_.empty() && counted_.lines == 0; }
    LineCount count() const;

private:
    friend class CoberturaHandler;
    void add_line(const std::string& file, std::uint64_t line, bool covered);
    std::string add_lcov(std::string_view text);
    std::string add_cobertura(std::string_view xml);

    std::map<std::string, std::map<std::uint64_t, bool>> files_;
    std::size_t lines_ = 0;
    bool too_many_ = false;
    LineCount counted_; // of reports that only tell the numbers
};

} // namespace gantry::runner
