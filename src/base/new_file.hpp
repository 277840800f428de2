#pragma once

#include "base/file.hpp"

#include <string>
#include <string_view>

namespace gantry {

// A file that is written piece by piece and appears whole: until commit() its path has what it had before, and without one
// it keeps that. A symbolic link is replaced, not followed.
class NewFile {
public:
    // It gets `mode` without the bits of the umask. Throws not_found or denied (the folder), bad_input (what is there is no regular
    // file).
    explicit NewFile(std::string path, mode_t mode = 0666);
    ~NewFile();
    NewFile(const NewFile&) = delete;

    void write(std::string_view bytes);
    // After a crash from here on the path has all of it.
    void commit();

private:
    std::string path_, part_; // part_: where the bytes go until then; empty: committed
    Fd file_;
};

} // namespace gantry
