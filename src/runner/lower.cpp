#include "runner/lower.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/expression.hpp"
#include "runner/lower_container.hpp"
#include "runner/lower_environment.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <utility>

namespace gantry::runner {

namespace {

// The kernel takes no longer argument (MAX_ARG_STRLEN, with its end).
constexpr std::size_t k_max_script_bytes = 131071;

std::vector<std::string> computed(const std::vector<pipeline::Text>& texts, const std::string& what, const Resolve& resolve)
{
    std::vector<std::string> result;
    result.reserve(texts.size());
    for (const auto& text : texts)
        result.push_back(resolve(text, what));
    return result;
}

// ---- the process

void lower_process(const StepContext& context, const Resolve& resolve, engine::ContainerSpec& spec)
{
    const auto& step = *context.step;
    if (step.run) {
        auto script = resolve(*step.run, "run");
        if (script.size() > k_max_script_bytes)
            throw Error(Errc::bad_input, "run: the script is longer than 128 KiB", "put it into a file of the repository");
        if (script.find('\0') != std::string::npos)
            throw Error(Errc::bad_input, "run: the script holds a NUL byte");
        spec.entrypoint = step.shell.empty() ? std::vector<std::string>{"sh", "-ec"} : step.shell;
        spec.command = std::vector<std::string>{std::move(script)};
        return;
    }
    if (step.container.entrypoint)
        spec.entrypoint = computed(*step.container.entrypoint, "entrypoint", resolve);
    if (step.container.command)
        spec.command = computed(*step.container.command, "command", resolve);
    else if (spec.entrypoint)
        spec.command = std::vector<std::string>(); // Compose: an entrypoint drops the image's command
}

// From the root; relative ones start at the workspace.
std::string working_dir(const std::string& written)
{
    if (written.empty())
        return k_workspace;
    const auto path = (std::filesystem::path(k_workspace) / written).lexically_normal().string();
    for (const char* kernel : {"/proc", "/sys", "/dev"})
        if (path == kernel || path.starts_with(std::string(kernel) + "/"))
            throw Error(Errc::bad_input, fmt::format("working_dir: {} is the kernel's", terminal_safe(path)));
    return path.size() > 1 && path.back() == '/' ? path.substr(0, path.size() - 1) : path;
}

// ---- the network

void lower_network(const StepContext& context, engine::ContainerSpec& spec)
{
    using Network = engine::ContainerSpec::Network;
    const auto& container = context.step->container;
    if (lower_network_mode(container, context.services, spec))
        return;
    if (!context.network_container.empty()) {
        spec.network = Network::container;
        spec.network_container = context.network_container;
        return;
    }
    spec.network = Network::endpoints;
    for (const auto& attachment : container.networks)
        spec.endpoints.push_back({network_by_key(*context.plan, context.owner, context.network, attachment.name), attachment.aliases, attachment.ipv4_address,
                                  attachment.ipv6_address});
    if (spec.endpoints.empty() && !context.network.empty())
        spec.endpoints.push_back({context.network, {}, {}, {}});
    if (spec.endpoints.empty())
        spec.network = Network::none;
}

// ---- what must be so

void refuse_doubles(const std::vector<engine::Mount>& mounts)
{
    std::set<std::string> targets;
    for (const auto& mount : mounts)
        if (!targets.insert(mount.target).second)
            throw Error(Errc::bad_input, fmt::format("volumes: {} is taken", terminal_safe(mount.target)));
}

} // namespace

std::string compute(const pipeline::Text& text, const std::string& what, const pipeline::Scope& scope)
{
    if (text.is_literal())
        return text.literal();
    std::string error;
    const auto resolved = pipeline::resolve(text, scope, &error);
    if (!error.empty())
        throw Error(Errc::bad_input, fmt::format("{}: {}", what, error));
    if (!resolved.is_literal())
        throw Error(Errc::bad_input, fmt::format("{}: '{}' is not known when it starts", what,
                                                 terminal_safe(resolved.source())),
                    "only results of steps that come before it, or of stages that its stage needs, can be used");
    return resolved.literal();
}

std::string image_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::PlanStep& step,
                     const pipeline::RuntimeFacts& facts)
{
    if (!step.container.image)
        throw Error(Errc::bad_input, "the step has no image", "give it one, or its stage, or 'defaults:'");
    const auto image =
        std::string(trim(compute(*step.container.image, "image", make_scope(plan.event, stage, step, &facts))));
    if (image.empty())
        throw Error(Errc::bad_input, fmt::format("image: '{}' gives no name", terminal_safe(step.container.image->source())));
    return image;
}

std::string group_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::RuntimeFacts& facts)
{
    return compute(stage.concurrency->group, "concurrency.group", make_scope(plan.event, stage, &facts));
}

Resolve resolver_of(const StepContext& context)
{
    const auto scope = make_scope(context.plan->event, *context.stage, *context.step, &context.facts);
    return [scope](const pipeline::Text& text, const std::string& what) { return compute(text, what, scope); };
}

engine::ContainerSpec lower_step(const StepContext& context)
{
    refuse_obstacles(context.step->container, context.consent);
    const auto& step = *context.step;
    const auto resolve = resolver_of(context);

    engine::ContainerSpec spec;
    spec.mounts = context.mounts;
    lower_container(step.container, {*context.plan, context.owner, resolve}, spec);
    refuse_doubles(spec.mounts);
    spec.name = object_name(context.owner);
    for (const auto& [key, value] : labels_of(context.owner))
        spec.labels[key] = value;
    spec.image = context.image;
    spec.working_dir = working_dir(spec.working_dir);
    spec.environment = environment_of(context, resolve);
    lower_process(context, resolve, spec);
    lower_network(context, spec);
    spec.volumes_from = shared_volumes(step.container, context.services);
    return spec;
}

std::vector<std::pair<std::string, Secret>> secret_files_of(const StepContext& context)
{
    std::vector<std::pair<std::string, Secret>> files;
    if (!context.plan->event.trusted)
        return files;
    for (const auto& [path, name] : context.step->secret_files)
        files.emplace_back(path, secret_of(context, name));
    return files;
}

} // namespace gantry::runner
