#include "runner/lower.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/container_values.hpp"
#include "pipeline/expression.hpp"
#include "runner/lower_container.hpp"
#include "runner/lower_environment.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace gantry::runner {

namespace {

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
        if (!pipeline::k_script_rule.fits(script))
            throw Error(Errc::bad_input, fmt::format("run: this is not {}", pipeline::k_script_rule.what),
                        pipeline::k_script_rule.hint);
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

std::string working_dir(const std::string& written)
{
    auto folder = pipeline::step_folder(written);
    if (!folder.problem.empty())
        throw Error(Errc::bad_input, "working_dir: " + folder.problem, folder.hint);
    return std::move(folder.path);
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

// A volume of a service is the service's, too, and may outlive the run.
void refuse_shared_place(const StepContext& context, const std::string& file)
{
    const auto path = pipeline::normalised_path(file);
    for (const auto& from : context.step->container.volumes_from)
        for (const auto& service : context.stage->services) {
            if (service.name != from.substr(0, from.find(':')))
                continue;
            for (const auto& mount : service.container.volumes)
                if (mount.target.is_literal() &&
                    pipeline::is_in_folder(path, pipeline::normalised_path(mount.target.literal())))
                    throw Error(
                        Errc::bad_input,
                        fmt::format(
                            "secret_files: '{}' would be there for the service '{}', too: it is in a volume of it",
                            terminal_safe(file), terminal_safe(service.name)),
                        "a path of the container's own goes with it, such as below /run/secrets");
        }
}

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
    for (const auto& [path, name] : context.step->secret_files) {
        refuse_shared_place(context, path);
        files.emplace_back(path, secret_of(context, name));
    }
    return files;
}

} // namespace gantry::runner
