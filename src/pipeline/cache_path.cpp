#include "pipeline/cache_path.hpp"

#include "pipeline/container_path.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

namespace gantry::pipeline {

namespace {

// The kernel's, and what gantry itself puts into every container.
constexpr std::string_view k_taken[] = {"/proc", "/sys", "/dev", k_exchange_folder};

bool is_cache_key(std::string_view text) { return text.size() <= k_max_cache_key_bytes && terminal_safe(text) == text; }

} // namespace

const ValueRule k_cache_key_rule{is_cache_key, "a key of a cache",
                                 "it is one line of at most 512 bytes that can be shown; hashFiles(…) stands for what is long"};

CachePath cache_path(std::string_view written)
{
    const auto shown = terminal_safe(written);
    const auto refused = [&shown](std::string why, std::string hint = {}) {
        return CachePath{{}, fmt::format("the path '{}' {}", shown, why), std::move(hint)};
    };
    if (written.empty())
        return refused("names no folder");
    if (written.front() == '~')
        return refused("depends on image and user", "write it in full, such as /root" + terminal_safe(written.substr(1)));
    if (written.find('\0') != std::string_view::npos)
        return refused("holds a NUL byte");
    const auto path = normalised_path(written.front() == '/' ? std::string(written) : fmt::format("{}/{}", k_workspace_folder, written));
    if (path.empty())
        return refused("leads out of the container");
    if (path == "/" || path == k_workspace_folder)
        return refused("is too much for a cache", "name a folder below it");
    if (written.front() != '/' && !is_in_folder(path, k_workspace_folder))
        return refused("leads out of the workspace", "write it in full, from the root");
    for (const auto folder : k_taken)
        if (is_in_folder(path, folder))
            return refused(fmt::format("is in {}, which cannot be kept", folder));
    return {path, {}, {}};
}

} // namespace gantry::pipeline
