#include "pipeline/container_values.hpp"

#include "pipeline/container_path.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

namespace gantry::pipeline {

namespace {

template <std::size_t N> bool is_one_of(std::string_view word, const std::string_view (&words)[N])
{
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_network_mode(std::string_view text)
{
    constexpr std::string_view k_modes[] = {"none", "host", "bridge", "default"};
    return is_one_of(text, k_modes) || text.starts_with("service:");
}

bool is_volumes_source(std::string_view text)
{
    const auto colon = text.find(':');
    return colon != 0 && (colon == std::string_view::npos || text.substr(colon) == ":ro" || text.substr(colon) == ":rw");
}

bool is_number_between(std::string_view text, int least, int most)
{
    int number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    return status == std::errc() && end == text.data() + text.size() && number >= least && number <= most;
}

bool is_user(std::string_view text)
{
    if (std::count(text.begin(), text.end(), ':') > 1)
        return false;
    const auto parts = split(text, ':');
    return std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
        const auto digits = part.starts_with('-') ? part.substr(1) : part;
        const bool is_number = !digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit);
        return is_number && !is_number_between(part, 0, std::numeric_limits<std::int32_t>::max());
    });
}

bool is_free_label(std::string_view name) { return !name.starts_with("gantry."); }

bool is_device(std::string_view text) { return parse_device(text).has_value(); }

bool is_file_target(std::string_view text) { return text.starts_with('/') && text != "/"; }

// ---- signals

constexpr std::string_view k_signals[] = {
    "ABRT", "ALRM", "BUS",    "CHLD", "CLD", "CONT", "FPE",  "HUP",  "ILL",  "INT", "IO",   "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",
    "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"};

bool is_signal(std::string_view text)
{
    constexpr int k_most_above_rtmin = 15, k_most_below_rtmax = 14;
    if (is_number_between(text, 1, 64))
        return true;
    auto name = to_lower(text);
    std::string_view rest = name;
    if (rest.starts_with("sig"))
        rest.remove_prefix(3);
    if (rest == "rtmin" || rest == "rtmax")
        return true;
    if (rest.starts_with("rtmin+"))
        return is_number_between(rest.substr(6), 1, k_most_above_rtmin);
    if (rest.starts_with("rtmax-"))
        return is_number_between(rest.substr(6), 1, k_most_below_rtmax);
    return std::any_of(std::begin(k_signals), std::end(k_signals), [&](std::string_view known) { return to_lower(known) == rest; });
}

// ---- processes

bool is_script(std::string_view text)
{
    constexpr std::size_t k_max_bytes = 131071; // MAX_ARG_STRLEN, with its end
    return text.size() <= k_max_bytes && text.find('\0') == std::string_view::npos;
}

// ---- platforms

constexpr std::string_view k_systems[] = {"aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",
                                          "js",    "linux",   "macos",  "nacl",      "netbsd",  "openbsd", "plan9",   "solaris",
                                          "wasi", "wasip1", "windows", "zos"};
constexpr std::string_view k_processors[] = {
    "386",     "aarch64", "amd64",  "amd64p32", "arm",      "arm64",      "arm64be", "armbe", "armel", "armhf", "i386", "loong64",
    "mips",    "mips64",  "mips64le", "mips64p32", "mips64p32le", "mipsle", "ppc",   "ppc64", "ppc64le", "riscv", "riscv64", "s390",
    "s390x",   "sparc",   "sparc64", "wasm",    "x86-64",   "x86_64"};

bool is_platform_word(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return is_digit(static_cast<char>(c)) || (c >= 'a' && c <= 'z') || c == '_' || c == '-' || c == '.';
    });
}

// "windows(10.0.17763)": its version, in newer ones.
std::string_view without_version(std::string_view system)
{
    const auto open = system.find('(');
    return open != std::string_view::npos && system.ends_with(')') ? system.substr(0, open) : system;
}

bool is_platform(std::string_view text)
{
    const auto lower = to_lower(text);
    const auto parts = split(lower, '/');
    const auto system = without_version(parts[0]);
    if (parts.size() == 1)
        return is_one_of(system, k_systems) || is_one_of(parts[0], k_processors);
    return parts.size() <= 3 && is_one_of(system, k_systems) && is_one_of(parts[1], k_processors) && is_platform_word(parts.back());
}

std::string nearest_platform(std::string_view text)
{
    auto parts = split(to_lower(text), '/');
    if (parts.size() < 2 || parts.size() > 3 || without_version(parts[0]) != parts[0])
        return {};
    const auto correct = [](std::string& part, const auto& known) {
        if (const auto near = nearest(part, std::vector<std::string>(std::begin(known), std::end(known))))
            part = *near;
    };
    if (!is_one_of(parts[0], k_systems))
        correct(parts[0], k_systems);
    if (!is_one_of(parts[1], k_processors))
        correct(parts[1], k_processors);
    const auto near = join(parts, "/");
    return is_platform(near) ? near : "";
}

// ---- sysctls

constexpr std::string_view k_sysctls[] = {"kernel.domainname", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",         "kernel.sem",
                                          "kernel.shmall",     "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

bool is_own_sysctl(std::string_view text)
{
    const auto name = dotted_sysctl(text);
    return name.starts_with("net.") || name.starts_with("fs.mqueue.") || is_one_of(name, k_sysctls);
}

std::string nearest_sysctl(std::string_view text)
{
    constexpr std::size_t k_longest = 40;
    const auto near = text.size() <= k_longest ? nearest(dotted_sysctl(text), std::vector<std::string>(std::begin(k_sysctls), std::end(k_sysctls)))
                                               : std::nullopt;
    return near.value_or("");
}

// ---- tmpfs

// The number behind "uid=" and the like; nothing where it is none.
std::optional<std::uint32_t> number_in(std::string_view digits, int base)
{
    std::uint32_t number = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    return status == std::errc() && end == digits.data() + digits.size() ? std::optional(number) : std::nullopt;
}

// "size=64m" and the like. Why it cannot be; empty: `tmpfs` has it.
std::string take_tmpfs_value(std::string_view name, std::string_view value, Tmpfs& tmpfs)
{
    if (name == "size") {
        tmpfs.size_bytes = parse_size(value);
        tmpfs.hint = "write size=64m";
        return tmpfs.size_bytes ? "" : fmt::format("'{}' is not a size", terminal_safe(value));
    }
    if (name == "mode") {
        tmpfs.mode = number_in(value, 8);
        tmpfs.hint = "write mode=1777";
        return tmpfs.mode && *tmpfs.mode <= 07777 ? "" : fmt::format("'{}' is not a mode", terminal_safe(value));
    }
    tmpfs.hint = fmt::format("write the number: {}=1000", name);
    const auto id = number_in(value, 10);
    if (id)
        tmpfs.options.push_back(fmt::format("{}={}", name, *id));
    return id ? "" : fmt::format("'{}' is not the number of a {}", terminal_safe(value), name == "uid" ? "user" : "group");
}

// As Docker has them: of two that say the opposite, the last counts.
std::string take_tmpfs_option(std::string_view option, Tmpfs& tmpfs)
{
    static const std::vector<std::string> k_flags = {"ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev"};
    static const std::vector<std::string> k_values = {"size", "mode", "uid", "gid"};
    const auto has = [](const std::vector<std::string>& words, std::string_view word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    const auto equals = option.find('=');
    const auto name = option.substr(0, equals);
    if (equals != std::string_view::npos && has(k_values, name))
        return take_tmpfs_value(name, option.substr(equals + 1), tmpfs);
    if (!has(k_flags, option)) {
        const auto meant = name.size() <= 40 ? nearest(name, equals == std::string_view::npos ? k_flags : k_values) : std::nullopt;
        tmpfs.hint = meant ? fmt::format("did you mean '{}'?", *meant) : "size=, mode=, uid=, gid= and " + join(k_flags, ", ") + " can";
        tmpfs.is_unsupported = true;
        return fmt::format("the option '{}' cannot be set", terminal_safe(option));
    }
    if (option == "ro" || option == "rw")
        tmpfs.read_only = option == "ro";
    else
        tmpfs.options.emplace_back(option);
    return {};
}

} // namespace

const ValueRule k_network_mode_rule{is_network_mode, "a network that it can share",
                                    "one of: none, host, service:NAME; the networks of the file stand under 'networks'"};
const ValueRule k_script_rule{is_script, "a script of less than 128 KiB, without NUL bytes", "put it into a file of the repository"};
const ValueRule k_volumes_from_rule{is_volumes_source, "a service whose volumes it can take", "write db or db:ro, a service of the stage"};
const ValueRule k_user_rule{is_user, "a user", "write user or user:group, such as 1000:1000; numbers are at most 2147483647"};
const ValueRule k_signal_rule{is_signal, "a signal", "write a name or a number, such as SIGTERM, INT or 9; man 7 signal lists them"};
const ValueRule k_platform_rule{is_platform, "a platform", "write os/arch, such as linux/amd64 or linux/arm/v7", nearest_platform};

const ValueRule k_label_rule{is_free_label, "a label that can be set: it is for gantry's own", "choose another prefix"};
const ValueRule k_sysctl_rule{is_own_sysctl, "a sysctl that a container has for itself",
                              "a container has net.*, fs.mqueue.*, kernel.msg*, kernel.shm* and kernel.sem for itself; others are the host's", nearest_sysctl};
const ValueRule k_device_rule{is_device, "a device", "write /dev/fuse or /dev/a:/dev/b:rwm, where r, w and m are what may be done"};

const ValueRule k_file_target_rule{is_file_target, "a path below the root", "write the path in the service, such as /etc/app.conf"};

std::string dotted_sysctl(std::string_view written)
{
    std::string name(written);
    const auto separator = name.find_first_of("./");
    if (separator == std::string::npos || name[separator] == '.')
        return name;
    // A '.' is then part of a name, as in that of a network device.
    for (char& c : name)
        c = c == '/' ? '.' : c == '.' ? '/' : c;
    return name;
}

std::optional<DeviceParts> parse_device(std::string_view written)
{
    const auto is_rights = [](std::string_view text) { return !text.empty() && text.find_first_not_of("rwm") == std::string_view::npos; };
    auto parts = split(written, ':');
    if (parts.size() == 2 && is_rights(parts[1]))
        parts = {parts[0], parts[0], parts[1]};
    if (parts.size() == 1)
        parts.push_back(parts[0]);
    if (parts.size() == 2)
        parts.emplace_back("rwm");
    if (parts.size() != 3 || !parts[0].starts_with('/') || !parts[1].starts_with('/') || !is_rights(parts[2]))
        return std::nullopt;
    return DeviceParts{parts[0], parts[1], parts[2]};
}

Tmpfs parse_tmpfs(std::string_view written)
{
    Tmpfs tmpfs;
    const auto colon = written.find(':');
    auto target = mount_target(written.substr(0, colon));
    tmpfs.target = std::move(target.path);
    tmpfs.problem = std::move(target.problem);
    tmpfs.hint = std::move(target.hint);
    if (colon == std::string_view::npos)
        return tmpfs;
    for (const auto& option : split(written.substr(colon + 1), ','))
        if (tmpfs.problem.empty())
            tmpfs.problem = take_tmpfs_option(option, tmpfs);
    // What every tmpfs of an engine is anyway.
    const auto is_usual = [](const std::string& option) { return option == "noexec" || option == "nosuid" || option == "nodev"; };
    if (std::all_of(tmpfs.options.begin(), tmpfs.options.end(), is_usual))
        tmpfs.options.clear();
    return tmpfs;
}

} // namespace gantry::pipeline
