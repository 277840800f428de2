#pragma once

#include "runner/ignore_rules.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

// Makes a build context out of the archive of a folder, while it passes: takes the folder's own name off every name, and
// leaves out what the rules ignore. Reads and writes pax archives (POSIX.1-2017; GNU's long names, too); keeps modes, times,
// owners and attributes. Holds a header at a time in memory, and of files at most the one that is shown.
class ContextFilter {
public:
    struct Options {
        IgnoreRules rules;
        std::set<std::string> keep; // sent whatever the rules say: the Dockerfile and .dockerignore
        std::set<std::string> replaced; // not sent: added by add_file()
        // What is archived is one file, and its contents are what passes, as they are: of a context that is an archive itself, or
        // of any file that is wanted. An empty folder counts as an empty file; anything else is bad_input.
        bool is_file = false;
        std::string shown; // the one whose contents are kept, too: shown()
    };
    explicit ContextFilter(Options options);

    // Takes the next bytes and appends what passes to `out`. Throws bad_input: a hard link to what is left out or replaced, a header that
    // is no header, names of more than a megabyte.
    void feed(std::string_view bytes, std::string& out);
    // A file at the top; before the first byte is fed or after the last. `name` has at most 99 bytes.
    static void add_file(const std::string& name, std::string_view contents, std::string& out);
    // The end. Throws unavailable when the archive that was fed had none.
    void finish(std::string& out);

    // Of Options::shown, when the whole archive has passed; nothing when it was not there, was no plain file, or had more than
    // 1 MiB.
    const std::optional<std::string>& shown() const { return shown_; }
    std::uint64_t files() const { return files_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    enum class Phase { header, extension, contents, padding, over };

    void take_header(std::string& out);
    void take_extension(char type);
    void begin_entry(std::string& out);
    void write_entry(const std::string& path, const std::string& link, std::string& out);
    bool leaves_out(const std::string& path) const;

    Options options_;
    Phase phase_ = Phase::header;
    std::string block_;      // what there is of the next header or extension
    std::string header_;     // of the entry that an extension is about
    char extension_ = 0;     // its type, while it is read
    std::uint64_t left_ = 0; // bytes of contents or extension that are to come
    std::uint64_t padding_ = 0;
    bool passes_ = false, shows_ = false;
    std::optional<std::string> shown_;
    std::string long_name_, long_link_; // GNU's
    std::vector<std::pair<std::string, std::string>> records_; // pax, of the next entry
    std::uint64_t files_ = 0, bytes_ = 0;
};

} // namespace gantry::runner
