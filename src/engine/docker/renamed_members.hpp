#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::engine::docker {

// Gives the members of a tar archive other names as it passes, and the targets of its hard links likewise; members whose
// names stay pass byte for byte: what Go's archive/tar and libarchive write (base/tar_format.hpp). Pure; keeps at most one header.
class RenamedMembers {
public:
    // What `rename` throws goes through feed().
    using Rename = std::function<std::string(const std::string& name)>;
    explicit RenamedMembers(Rename rename) : rename_(std::move(rename)) {}

    // Takes the archive in any pieces, gives what can go on of it. Throws bad_input for headers that cannot be, for a name of
    // more than a megabyte and for GNU's long names.
    std::string feed(std::string_view bytes);

private:
    using Records = std::vector<std::pair<std::string, std::string>>; // of a pax header

    void take_header(std::string& out);
    void take_member(std::string header, std::uint64_t size, std::string& out);

    Rename rename_;
    std::string pending_;              // of a header, or of an extended header with its blocks
    std::uint64_t passing_bytes_ = 0;  // of a member's contents and their padding
    std::uint64_t extended_bytes_ = 0; // all of the extended header that is being collected; 0: none is
    std::string extended_;             // of the member that comes next, with its blocks
};

// Podman tars a mounted volume as "/", "/a", "/sub/b": the names that Docker gives, "in", "in/a", "in/sub/b".
RenamedMembers::Rename root_named(std::string folder);
// The names below `folder` ("layer/a") as they are in it ("a"); "." for itself. Throws unsupported for all others.
RenamedMembers::Rename inside_of(std::string folder);
// Names that stay. Throws unsupported for those in one of `folders`.
RenamedMembers::Rename beside(std::vector<std::string> folders);
// Whether a member lies at or below `folder` ("layer", "a/b").
bool is_member_of(std::string_view folder, std::string_view name);

} // namespace gantry::engine::docker
