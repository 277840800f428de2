#include "runner/lower_build.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"
#include "pipeline/build_values.hpp"
#include "runner/lower_container.hpp"
#include "runner/lower_environment.hpp"

#include <fmt/format.h>

#include <filesystem>
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

// Its path, or its problem as an error.
std::string checked_path(pipeline::BuildPlace place, const char* what)
{
    if (!place.problem.empty())
        throw Error(Errc::bad_input, fmt::format("{}: {}", what, place.problem), place.hint);
    return std::move(place.path);
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
        lowered.spec.dockerfile = checked_path(pipeline::sent_dockerfile(written), "build.dockerfile");
        return;
    }
    const auto path = checked_path(pipeline::build_dockerfile(written, lowered.context), "build.dockerfile");
    const auto inside = fs::path(path).lexically_relative(lowered.context).string();
    if (inside.starts_with("..") || inside == ".")
        lowered.outside_dockerfile = path;
    else
        lowered.spec.dockerfile = inside;
}

void lower_network(const StepContext& context, const pipeline::Build& build, engine::BuildSpec& spec)
{
    const auto network = build.network.value_or("");
    if (network.empty() || network == "default")
        return;
    if (const auto& rule = pipeline::k_build_network_rule; !rule.fits(network))
        throw Error(Errc::bad_input, fmt::format("build.network: '{}' is not supported", terminal_safe(network)), rule.hint);
    refuse_obstacles(build, context.consent);
    spec.network_mode = network;
}

void check_pushable(const std::string& name)
{
    if (!pipeline::names_registry(name))
        throw Error(Errc::bad_input, fmt::format("push: '{}' names no registry", terminal_safe(name)), pipeline::k_registry_hint);
}

void add_literals(const std::vector<pipeline::Text>& texts, std::set<std::string>& names)
{
    for (const auto& text : texts)
        if (text.is_literal())
            names.insert(full_name(std::string(trim(text.literal()))));
}

} // namespace

LoweredBuild lower_build(const StepContext& context)
{
    const auto& build = *context.step->build;
    const auto resolve = resolver_of(context);
    LoweredBuild lowered;
    auto& spec = lowered.spec;
    const auto folder = std::string(trim(resolve(build.context, "build.context")));
    const auto place = pipeline::build_context(folder);
    auto path = checked_path(place, "build.context");
    lowered.is_archive = place.kind == pipeline::BuildPlace::Kind::archive;
    if (place.kind == pipeline::BuildPlace::Kind::remote)
        spec.remote = std::move(path);
    else
        lowered.context = std::move(path);
    place_dockerfile(build, resolve, lowered);

    spec.tags = names_in(build.tags, "build.tags", resolve);
    spec.cache_from = names_in(build.cache_from, "build.cache_from", resolve);
    for (const auto& name : spec.cache_from)
        if (const auto& rule = pipeline::k_cache_from_rule; !rule.fits(name))
            throw Error(Errc::bad_input, fmt::format("build.cache_from: '{}' is not {}", terminal_safe(name), rule.what), rule.hint);
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

std::set<std::string> built_names(const pipeline::Service& service)
{
    std::set<std::string> names;
    if (!service.build)
        return names;
    add_literals(service.build->tags, names);
    if (service.container.image)
        add_literals({*service.container.image}, names);
    return names;
}

std::set<std::string> made_images(const pipeline::Plan& plan)
{
    std::set<std::string> names;
    for (const auto& stage : plan.stages) {
        for (const auto& service : stage.services)
            names.merge(built_names(service));
        for (const auto& step : stage.steps) {
            if (step.build)
                add_literals(step.build->tags, names);
            if (step.push)
                add_literals(step.push->tags, names);
        }
    }
    return names;
}

} // namespace gantry::runner
