#pragma once

#include "pipeline/frontend/repository_file.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace gantry::pipeline::native {

// What profiles of seccomp may have, all containers of a pipeline together: each gets a copy.
constexpr std::size_t k_max_profile_bytes = 16 * 1024 * 1024;

// Profiles that `security_opt: ["seccomp=PATH"]` names. Engines take the text of one, not a path: they may be on another
// machine. Each file is read once.
class SeccompProfiles {
public:
    // `read_file` stays as long as this does.
    explicit SeccompProfiles(const ReadFile& read_file) : read_file_(read_file) {}

    struct Profile {
        std::string json; // without blanks; empty after a problem
        std::string code, problem, hint;
    };
    // By its path from the root of the repository, as it is written.
    const Profile& read(const std::string& path);

    // Counts one more container that gets so many bytes; false when that is too much.
    bool charge(std::size_t bytes);

private:
    Profile make(const std::string& path) const;

    const ReadFile& read_file_;
    std::map<std::string, Profile> profiles_;
    std::size_t bytes_ = 0;
};

// A JSON object without the blanks between its parts; empty for what is none (RFC 8259).
std::string compact_json_object(std::string_view text);

// The path in "seccomp=PATH" or "seccomp:PATH"; empty where there is none: another option, what the engine has itself, or a
// profile that is written out.
std::string_view seccomp_path(std::string_view option);

} // namespace gantry::pipeline::native
