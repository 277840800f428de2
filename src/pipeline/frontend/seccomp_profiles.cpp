#include "pipeline/frontend/seccomp_profiles.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::pipeline::native {

namespace {

constexpr std::string_view k_blanks = " \t\r\n";

} // namespace

const SeccompProfiles::Profile& SeccompProfiles::read(const std::string& path)
{
    const auto [found, is_new] = profiles_.try_emplace(path);
    if (is_new)
        found->second = make(path);
    return found->second;
}

SeccompProfiles::Profile SeccompProfiles::make(const std::string& path) const
{
    const auto in_repository = repository_path("", path);
    if (!in_repository || *in_repository == ".")
        return {"", "bad-value", fmt::format("'{}' is not a file of the repository", clip(path)),
                "write seccomp=path/of/profile.json, seccomp=unconfined, or the profile itself: 'seccomp={…}'"};
    const auto file = read_repository_file(read_file_, *in_repository);
    if (!file.text)
        return {"", "missing-file", file.problem,
                file.is_missing ? "a profile of seccomp is a file of the repository, or written out: 'seccomp={…}'" : file.hint};
    auto json = compact_json_object(*file.text);
    if (json.empty())
        return {"", "bad-value", fmt::format("'{}' is not a profile of seccomp: it is no JSON object", clip(*in_repository)),
                "it is what docker run --security-opt seccomp=FILE takes"};
    return {std::move(json), "", "", ""};
}

bool SeccompProfiles::charge(std::size_t bytes)
{
    bytes_ += bytes;
    return bytes_ <= k_max_profile_bytes;
}

std::string compact_json_object(std::string_view text)
{
    const auto first = text.find_first_not_of(k_blanks);
    if (first == std::string_view::npos || text[first] != '{' || !nlohmann::json::accept(text))
        return {};
    std::string compact;
    bool in_string = false;
    for (std::size_t i = first; i < text.size(); ++i) {
        if (!in_string && k_blanks.find(text[i]) != std::string_view::npos)
            continue;
        compact += text[i];
        if (in_string && text[i] == '\\')
            compact += text[++i];
        else if (text[i] == '"')
            in_string = !in_string;
    }
    return compact;
}

std::string_view seccomp_path(std::string_view option)
{
    constexpr std::string_view k_name = "seccomp";
    if (!option.starts_with(k_name) || option.size() == k_name.size() || std::string_view("=:").find(option[k_name.size()]) == std::string_view::npos)
        return {};
    const auto value = option.substr(k_name.size() + 1);
    return value == "unconfined" || value == "builtin" || value.starts_with('{') ? std::string_view() : value;
}

} // namespace gantry::pipeline::native
