#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::runner {

// What a header of a tar archive says (POSIX.1-2001 pax, ustar, GNU long names).
struct TarEntry {
    enum class Type { file, folder, symlink, hard_link, other }; // other: devices and pipes
    std::string path; // as in the archive, without "./" before and "/" behind it; nothing else is checked
    std::string link; // of a symlink, or of a hard link as a path
    Type type = Type::file;
    unsigned mode = 0; // permission bits, with set-user-id, set-group-id and sticky
    std::uint64_t uid = 0, gid = 0;
    std::int64_t mtime = 0; // seconds since 1970
    std::uint32_t mtime_nanoseconds = 0;
    std::uint64_t size_bytes = 0; // of a file; else 0
    friend bool operator==(const TarEntry&, const TarEntry&) = default;
};

// Gets an archive entry by entry: begin, the contents in pieces (of files alone), end.
class TarSink {
public:
    virtual ~TarSink() = default;
    virtual void begin(const TarEntry& entry) = 0;
    virtual void contents(std::string_view bytes) = 0;
    virtual void end() = 0;
};

// Reads an archive while it passes. Holds a header at a time in memory, never a file. Attributes are left out.
class TarReader {
public:
    // `sink` outlives it; what it throws comes out of feed().
    explicit TarReader(TarSink& sink) : sink_(sink) {}

    // The next bytes. Throws bad_input for what is no archive, for sizes and names that cannot be, and for what could be read in
    // two ways: sparse files, names given twice, kinds that are not known.
    void feed(std::string_view bytes);
    // Throws unavailable when the archive was cut off.
    void finish() const;

private:
    enum class Phase { header, extension, contents, padding, over };

    void take_header();
    void take_extension();
    void take_records();
    void begin_entry();
    void end_contents();

    TarSink& sink_;
    Phase phase_ = Phase::header;
    std::string block_;      // what there is of the next header or extension
    char extension_ = 0;     // its type, while it is read
    std::uint64_t left_ = 0; // bytes of contents or extension that are to come
    std::uint64_t padding_ = 0;
    std::string long_name_, long_link_; // GNU's
    bool has_records_ = false;
    std::vector<std::pair<std::string, std::string>> records_; // pax, of the next entry
};

// The header of an entry, with a pax header before it where it needs one. The contents follow, then tar_padding().
void append_tar_header(const TarEntry& entry, std::string& out);
// What fills the last block of contents.
std::string tar_padding(std::uint64_t size_bytes);
std::string tar_end();

} // namespace gantry::runner
