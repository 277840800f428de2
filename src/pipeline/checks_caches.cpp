#include "pipeline/checks_internal.hpp"

#include "pipeline/cache_path.hpp"

#include "base/format.hpp"

#include <set>

namespace gantry::pipeline {

// Paths with expressions are looked at when the stage starts.
void check_caches(const Stage& stage, std::size_t index, Diagnostics& out)
{
    std::set<std::string> names, targets;
    for (std::size_t i = 0; i < stage.caches.size(); ++i) {
        const auto& cache = stage.caches[i];
        const auto path = fmt::format("stages[{}].caches[{}]", index, i);
        if (!names.insert(cache.name).second)
            out.push_back(error_at(cache.mark, "duplicate-name",
                                   fmt::format("the stage has another cache '{}'", terminal_safe(cache.name)), path + ".name"));
        if (!cache.path.is_literal())
            continue;
        const auto found = cache_path(cache.path.literal());
        if (!found.problem.empty())
            out.push_back(error_at(cache.mark, "bad-path", fmt::format("cache '{}': {}", terminal_safe(cache.name), found.problem),
                                   path + ".path", found.hint));
        else if (!targets.insert(found.target).second)
            out.push_back(error_at(cache.mark, "bad-path",
                                   fmt::format("cache '{}': {} is another cache's", terminal_safe(cache.name), found.target),
                                   path + ".path"));
    }
}

} // namespace gantry::pipeline
