#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the values of a container's keys may be, as far as that can be told without an engine.

namespace gantry::pipeline {

// How a text is judged, and what is said of one that does not fit.
struct ValueRule {
    bool (*fits)(std::string_view text);
    const char* what; // "a signal": of 'SIGFOO' is not …
    const char* hint;
    std::string (*nearest)(std::string_view text) = nullptr; // one that fits and is meant, perhaps; empty: nobody knows
};

// none, host, bridge and default (the stage's own), service:NAME.
extern const ValueRule k_network_mode_rule;
// What the kernel takes as one argument of a program.
extern const ValueRule k_script_rule;
// SERVICE, SERVICE:ro or SERVICE:rw.
extern const ValueRule k_volumes_from_rule;
// user or user:group; which of them there are, the image knows.
extern const ValueRule k_user_rule;
// signal(7), as Docker reads them: a name in any case, with or without SIG, or a number from 1 to 64.
extern const ValueRule k_signal_rule;
// As containerd's platforms.Parse() reads them: os/arch, os/arch/variant, or one of the two alone; the names are those of the
// OCI image specification, Go's GOOS and GOARCH, and what containerd takes for them.
extern const ValueRule k_platform_rule;

// A label of a container, an image, a volume or a network; those by which gantry finds what is its own are not to be had.
extern const ValueRule k_label_rule;
// What a container's namespaces have for themselves, as runc has it, with '.' or with '/'; other sysctls are those of the host.
extern const ValueRule k_sysctl_rule;
// With '.': "net.ipv4.ip_forward" of "net/ipv4/ip_forward".
std::string dotted_sysctl(std::string_view written);
// As docker run --device has it.
extern const ValueRule k_device_rule;

// "/dev/a", "/dev/a:rw", "/dev/a:/dev/b" or "/dev/a:/dev/b:rw".
struct DeviceParts {
    std::string source, target, permissions;
};
std::optional<DeviceParts> parse_device(std::string_view written);

// Where a file or folder is put into a service.
extern const ValueRule k_file_target_rule;

// "/run", "/run:size=64m,mode=1777,uid=1000,exec".
struct Tmpfs {
    std::string target;
    std::optional<std::uint64_t> size_bytes;
    std::optional<std::uint32_t> mode;
    bool read_only = false;
    std::vector<std::string> options; // uid=, gid=, and where not each is usual: exec, suid, dev and their opposites, in their order
    std::string problem, hint; // why it cannot be; empty: it can
    bool is_unsupported = false; // the problem is ours: the text is right, and no engine takes it from us
};
Tmpfs parse_tmpfs(std::string_view written);

} // namespace gantry::pipeline
