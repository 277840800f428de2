#include "runner/lower_build.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/lower_container.hpp"
#include "runner/lower_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <utility>

namespace gantry::runner {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::vector<pipeline::Text>& texts, const char* what, const Resolve& resolve)
{
    std::vector<std::string> result;
    for (const auto& text : texts) {
        auto value = std::string(trim(resolve(text, what)));
        if (value.empty())
            throw Error(Errc::bad_input, fmt::format("{}: '{}' gives no name", what, terminal_safe(text.source())));
        result.push_back(std::move(value));
    }
    return result;
}

std::string computed(const std::optional<pipeline::Text>& text, const char* what, const Resolve& resolve)
{
    return text ? resolve(*text, what) : std::string();
}

bool begins_with_any(const std::string& text, std::initializer_list<const char*> begins)
{
    return std::any_of(begins.begin(), begins.end(), [&](const char* begin) { return text.starts_with(begin); });
}

bool is_remote(const std::string& context)
{
    return begins_with_any(context, {"https://", "http://", "git://", "git@", "ssh://", "github.com/"});
}

// As Docker tells them from other URLs.
bool is_git(const std::string& context)
{
    const auto path = context.substr(0, context.find('#'));
    return begins_with_any(context, {"git://", "github.com/"}) || path.ends_with(".git");
}

bool is_archive(const std::string& context)
{
    const auto name = to_lower(context);
    constexpr std::array k_ends = {".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"};
    return std::any_of(k_ends.begin(), k_ends.end(), [&](const char* end) { return name.ends_with(end); });
}

// Below /workspace, whatever dots it has.
std::string in_workspace(const std::string& written, const fs::path& from, const char* what)
{
    const auto path = (from / written).lexically_normal().string();
    if (path != k_workspace && !path.starts_with(std::string(k_workspace) + "/"))
        throw Error(Errc::bad_input, fmt::format("{}: '{}' is not in the workspace", what, terminal_safe(written)),
                    "it is relative to the root of the repository");
    return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

void place_dockerfile(const pipeline::Build& build, const Resolve& resolve, LoweredBuild& lowered)
{
    if (build.dockerfile_inline && (lowered.context.empty() || lowered.is_archive))
        throw Error(Errc::bad_input, "build.dockerfile_inline: only with a context that is a folder");
    if (build.dockerfile_inline) {
        lowered.inline_dockerfile = resolve(*build.dockerfile_inline, "build.dockerfile_inline");
        return;
    }
    auto written = build.dockerfile.empty() ? std::string() : std::string(trim(resolve(build.dockerfile, "build.dockerfile")));
    if (written.empty())
        written = "Dockerfile";
    if (lowered.context.empty() || lowered.is_archive) {
        lowered.spec.dockerfile = written;
        return;
    }
    const auto path = in_workspace(written, lowered.context, "build.dockerfile");
    const auto inside = fs::path(path).lexically_relative(lowered.context).string();
    if (inside.starts_with("..") || inside == ".")
        lowered.outside_dockerfile = path;
    else
        lowered.spec.dockerfile = inside;
}

void lower_network(const StepContext& context, const pipeline::Build& build, engine::BuildSpec& spec)
{
    const auto network = build.network.value_or("default");
    if (network == "default")
        return;
    if (network != "none" && network != "host")
        throw Error(Errc::bad_input, fmt::format("build.network: '{}' is not supported", terminal_safe(network)),
                    "one of default, none and host");
    if (network == "host" && !consents(context.consent, "host-namespaces"))
        throw Error(Errc::bad_input, "build.network: host shares the host's network", consent_hint("host-namespaces"));
    spec.network_mode = network;
}

// Not even a registry of one's own takes an image without a registry or a user in its name.
void check_pushable(const std::string& name)
{
    if (name.find('/') == std::string::npos)
        throw Error(Errc::bad_input, fmt::format("push: '{}' names no registry", terminal_safe(name)),
                    "write registry.example/name:tag");
}

void add_literals(const std::vector<pipeline::Text>& texts, std::set<std::string>& names)
{
    for (const auto& text : texts)
        if (text.is_literal())
            names.insert(std::string(trim(text.literal())));
}

} // namespace

LoweredBuild lower_build(const StepContext& context)
{
    const auto& build = *context.step->build;
    const auto resolve = resolver_of(context);
    LoweredBuild lowered;
    auto& spec = lowered.spec;
    const auto folder = std::string(trim(resolve(build.context, "build.context")));
    // It would be the engine's key that signs in, which is not the pipeline's to use.
    if (begins_with_any(folder, {"git@", "ssh://"}))
        throw Error(Errc::bad_input, "build.context: repositories behind SSH are not for the engine to clone",
                    "use its https:// address, or get it in an earlier step and name its folder");
    if (is_remote(folder) && !is_git(folder))
        throw Error(Errc::bad_input, "build.context: '" + terminal_safe(folder) + "' is no git repository",
                    "end it in .git, or get the context in an earlier step and name its folder");
    if (is_remote(folder)) {
        spec.remote = folder;
    } else {
        lowered.context = in_workspace(folder, k_workspace, "build.context");
        lowered.is_archive = is_archive(lowered.context);
    }
    place_dockerfile(build, resolve, lowered);

    spec.tags = names_in(build.tags, "build.tags", resolve);
    spec.cache_from = names_in(build.cache_from, "build.cache_from", resolve);
    spec.target = computed(build.target, "build.target", resolve);
    for (const auto& [name, value] : build.args)
        spec.args.emplace_back(name, resolve(value, "build.args." + name));
    for (const auto& [name, value] : build.labels)
        spec.labels[name] = resolve(value, "build.labels." + name);
    for (const auto& [name, value] : spec.labels)
        if (name.starts_with("gantry."))
            throw Error(Errc::bad_input, fmt::format("build.labels: '{}' is for gantry's own", terminal_safe(name)),
                        "choose another prefix");
    // The engine's builder makes an image for each label on its way, and what is not the same in the next run cannot come from its
    // cache: so only those by which an image is found.
    spec.labels["gantry.instance"] = context.owner.instance;
    spec.labels["gantry.run"] = context.owner.run;
    lower_network(context, build, spec);
    spec.extra_hosts = build.extra_hosts;
    if (!build.platforms.empty())
        spec.platform = build.platforms.front();
    spec.pull = build.pull.value_or(false);
    spec.no_cache = build.no_cache.value_or(false);
    spec.shm_size_bytes = build.shm_size_bytes;
    return lowered;
}

LoweredPush lower_push(const StepContext& context, const std::vector<std::string>& built)
{
    const auto& push = *context.step->push;
    const auto resolve = resolver_of(context);
    LoweredPush lowered;
    lowered.names = push.all_tags ? built : names_in(push.tags, "push.tags", resolve);
    if (push.image) {
        lowered.image = std::string(trim(resolve(*push.image, "push.image")));
        if (lowered.image.empty())
            throw Error(Errc::bad_input, fmt::format("push.image: '{}' gives no name", terminal_safe(push.image->source())),
                        "the step that makes it has to come before");
    }
    if (lowered.names.empty())
        throw Error(Errc::bad_input, "push: there is no name to push under", "give the build tags: […], or the push");
    for (const auto& name : lowered.names)
        check_pushable(name);
    return lowered;
}

std::set<std::string> made_images(const pipeline::Plan& plan)
{
    std::set<std::string> names;
    for (const auto& stage : plan.stages)
        for (const auto& step : stage.steps) {
            if (step.build)
                add_literals(step.build->tags, names);
            if (step.push)
                add_literals(step.push->tags, names);
        }
    return names;
}

} // namespace gantry::runner
