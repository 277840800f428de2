#include "runner/lower_caches.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/cache_path.hpp"

#include <fmt/format.h>

#include <set>

namespace gantry::runner {

namespace {

constexpr const char* k_default_key = "default";

[[noreturn]] void refuse_cache(const std::string& name, const std::string& why, std::string hint = {})
{
    throw Error(Errc::bad_input, fmt::format("cache {}: {}", terminal_safe(name), why), std::move(hint));
}

std::string computed(const std::string& name, const char* what, const pipeline::Text& text, const pipeline::Scope& scope)
{
    std::string error;
    const auto resolved = pipeline::resolve(text, scope, &error);
    if (!error.empty())
        refuse_cache(name, fmt::format("{}: {}", what, error));
    if (!resolved.is_literal())
        refuse_cache(name,
                     fmt::format("{}: '{}' is not known when the stage starts", what, terminal_safe(resolved.source())),
                     "only results of stages that its stage needs can be used");
    return resolved.literal();
}

std::string checked_key(const std::string& name, const char* what, std::string key)
{
    if (key.empty())
        refuse_cache(name, fmt::format("{} is empty", what));
    if (key.size() > pipeline::k_max_cache_key_bytes)
        refuse_cache(name, fmt::format("{} is longer than {} bytes", what, pipeline::k_max_cache_key_bytes),
                     "use hashFiles(…) for what is long");
    if (terminal_safe(key) != key)
        refuse_cache(name, fmt::format("{} has characters that cannot be shown: {}", what, terminal_safe(key)));
    return key;
}

std::string checked_cache_target(const std::string& name, const std::string& written)
{
    auto found = pipeline::cache_path(written);
    if (!found.problem.empty())
        refuse_cache(name, found.problem, found.hint);
    return found.target;
}

std::string branch_of(const pipeline::Event& event)
{
    return event.tag.empty() ? "branch " + event.branch : "tag " + event.tag;
}

CacheRequest lower_cache(const pipeline::Plan& plan, const pipeline::Cache& cache, const pipeline::Scope& scope)
{
    CacheRequest request;
    request.name = cache.name;
    request.target = checked_cache_target(cache.name, computed(cache.name, "path", cache.path, scope));
    const auto key = cache.key.empty() ? std::string(k_default_key) : computed(cache.name, "key", cache.key, scope);
    if (cache.key.empty() && !cache.key_files.empty())
        refuse_cache(cache.name, "key: the files cannot be read here");
    request.key = checked_key(cache.name, "key", key);
    for (const auto& fallback : cache.fallback_keys)
        request.fallback_keys.push_back(
            checked_key(cache.name, "fallback_keys", computed(cache.name, "fallback_keys", fallback, scope)));
    if (cache.mode == "private")
        request.branch = branch_of(plan.event);
    request.is_locked = cache.mode == "locked";
    request.pulls = cache.policy != "push";
    request.pushes = cache.policy != "pull" && plan.event.trusted;
    return request;
}

} // namespace

std::vector<CacheRequest> lower_caches(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                       const pipeline::RuntimeFacts& facts)
{
    const auto scope = make_scope(plan.event, stage, &facts);
    std::vector<CacheRequest> requests;
    std::set<std::string> targets, names;
    for (const auto& cache : stage.caches) {
        requests.push_back(lower_cache(plan, cache, scope));
        if (!targets.insert(requests.back().target).second)
            refuse_cache(cache.name, "path " + requests.back().target + " is another cache's already");
        if (!names.insert(cache.name).second)
            refuse_cache(cache.name, "the stage has another of that name");
    }
    return requests;
}

} // namespace gantry::runner
