#pragma once

#include "runner/store.hpp"
#include "runner/store_layout.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::runner {

// The log of one attempt, which may be growing. Throws not_found when there is none.
class LogReader {
public:
    LogReader(const RunFolder& run, const StepKey& step); // attempt 0: the last
    std::uint64_t size_bytes() const;
    std::string read(std::uint64_t offset, std::size_t limit_bytes) const;
    std::vector<LogPiece> pieces(std::uint64_t offset, std::size_t limit_bytes) const;
    // At most 1 MiB of it.
    std::string tail(int lines) const;

private:
    std::string path_; // without its ending
    Fd file_;
};

} // namespace gantry::runner
