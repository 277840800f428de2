#include "pipeline/frontend/container_types.hpp"

#include "pipeline/frontend/seccomp_profiles.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/host_name.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <fmt/format.h>

#include <algorithm>

// cap_add and cap_drop, hostname, image, …: what an engine would take in silence, or refuse long after.

namespace gantry::pipeline::native {

namespace {

constexpr std::size_t k_longest_capability = 40;

const std::vector<std::string>& capability_names()
{
    static const std::vector<std::string> names = {
        "ALL",        "AUDIT_CONTROL",    "AUDIT_READ",    "AUDIT_WRITE",        "BLOCK_SUSPEND",   "BPF",
        "CHOWN",      "CHECKPOINT_RESTORE", "DAC_OVERRIDE", "DAC_READ_SEARCH",   "FOWNER",          "FSETID",
        "IPC_LOCK",   "IPC_OWNER",        "KILL",          "LEASE",              "LINUX_IMMUTABLE", "MAC_ADMIN",
        "MAC_OVERRIDE", "MKNOD",          "NET_ADMIN",     "NET_BIND_SERVICE",   "NET_BROADCAST",   "NET_RAW",
        "PERFMON",    "SETFCAP",          "SETGID",        "SETPCAP",            "SETUID",          "SYSLOG",
        "SYS_ADMIN",  "SYS_BOOT",         "SYS_CHROOT",    "SYS_MODULE",         "SYS_NICE",        "SYS_PACCT",
        "SYS_PTRACE", "SYS_RAWIO",        "SYS_RESOURCE",  "SYS_TIME",           "SYS_TTY_CONFIG",  "WAKE_ALARM"};
    return names;
}

} // namespace

bool CapabilityType::read(Reader& reader, const Node& node, Value& value)
{
    if (!StringType::read(reader, node, value))
        return false;
    const auto name = to_lower(value).starts_with("cap_") ? value.substr(4) : value;
    const auto is_it = [wanted = to_lower(name)](const std::string& known) { return to_lower(known) == wanted; };
    const auto& known = capability_names();
    if (std::ranges::any_of(known, is_it))
        return true;
    const auto meant = name.size() <= k_longest_capability ? nearest(name, known) : std::nullopt;
    reader.error(node, "bad-value", fmt::format("there is no capability '{}'", clip(value)),
                 meant ? "did you mean " + *meant + "?" : "man 7 capabilities lists them; CAP_ may be left out");
    return false;
}

bool SecurityOptionType::read(Reader& reader, const Node& node, Value& value)
{
    constexpr std::string_view k_seccomp = "seccomp=";
    if (!StringType::read(reader, node, value))
        return false;
    const auto path = seccomp_path(value);
    if (path.empty() && !value.starts_with("seccomp={"))
        return true;
    const SeccompProfiles::Profile written{path.empty() ? compact_json_object(value.substr(k_seccomp.size())) : "", "bad-value",
                                           "what stands here is not a profile of seccomp: it is no JSON object", ""};
    const auto& profile = path.empty() ? written : reader.profiles().read(std::string(path));
    if (profile.json.empty())
        reader.error(node, profile.code, profile.problem, profile.hint);
    else if (!reader.profiles().charge(profile.json.size()))
        reader.error(node, "limit", fmt::format("the profiles of seccomp of all containers have more than {}", format_size(k_max_profile_bytes)),
                     "say it in 'defaults' or a stage, or seccomp=builtin");
    else
        value = std::string(k_seccomp) + profile.json;
    return !profile.json.empty();
}

bool HostNameType::read(Reader& reader, const Node& node, Value& value)
{
    if (!TextType::read(reader, node, value))
        return false;
    const bool bad = !value.empty() && value.is_literal() && !is_host_name(value.literal());
    if (bad)
        reader.error(node, "bad-value", fmt::format("'{}' is not the name of a host", clip(value.literal())), k_host_name_hint);
    return !bad;
}

bool ImageType::read(Reader& reader, const Node& node, Value& value)
{
    if (!FilledTextType::read(reader, node, value))
        return false;
    if (!is_written_out(value))
        return true;
    try {
        parse_image_reference(std::string(trim(value.literal())));
        return true;
    } catch (const Error& error) {
        reader.error(node, "bad-value", error.what(), error.hint());
        return false;
    }
}

bool is_written_out(const Text& value)
{
    return value.is_literal() && value.literal().find("${{") == std::string_view::npos;
}

bool keeps_rule(Reader& reader, const Node& node, const ValueRule& rule, std::string_view text)
{
    const bool good = text.empty() || rule.fits(text);
    if (good)
        return true;
    const auto near = rule.nearest ? rule.nearest(text) : std::string();
    reader.error(node, "bad-value", fmt::format("'{}' is not {}", clip(text), rule.what),
                 near.empty() ? rule.hint : fmt::format("did you mean '{}'?", near));
    return false;
}

bool TmpfsType::read(Reader& reader, const Node& node, Value& value)
{
    if (!StringType::read(reader, node, value))
        return false;
    const auto tmpfs = parse_tmpfs(value);
    if (!tmpfs.problem.empty())
        reader.error(node, tmpfs.is_unsupported ? "unsupported" : "bad-value", tmpfs.problem, tmpfs.hint);
    return tmpfs.problem.empty();
}

} // namespace gantry::pipeline::native
