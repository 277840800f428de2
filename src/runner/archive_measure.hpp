#pragma once

#include "base/sha256.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::runner {

struct ArchiveSize {
    std::uint64_t size_bytes = 0; // of the files' contents
    std::uint64_t entries = 0;    // files, folders, links and devices
    std::string digest;           // SHA-256 over headers and contents of all entries, as they came
    friend bool operator==(const ArchiveSize&, const ArchiveSize&) = default;
};

// Measures the tar archive of a folder (POSIX.1-2001 pax, ustar, GNU) as it passes, in constant memory. The first entry, the
// folder itself, does not count.
class ArchiveMeasure {
public:
    // The next bytes. Throws bad_input for what is no archive.
    void feed(std::string_view bytes);
    // Throws bad_input when it was cut off.
    ArchiveSize finish();

private:
    void begin_entry();
    void end_extension();

    enum class Part { header, contents, end } part_ = Part::header;
    std::string block_;            // of a header, until it is whole
    std::uint64_t left_ = 0;       // of the contents, with their padding
    std::uint64_t unpadded_ = 0;   // without
    char type_ = 0;
    std::string extension_;        // the records of a pax header
    std::optional<std::uint64_t> next_size_; // that they give to the entry behind them
    bool is_top_ = true;           // still at the first entry
    Sha256 digest_;
    ArchiveSize sum_;
};

} // namespace gantry::runner
