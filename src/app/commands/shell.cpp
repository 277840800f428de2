#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/interrupt.hpp"
#include "app/step_name.hpp"
#include "app/terminal.hpp"
#include "base/format.hpp"
#include "runner/lower.hpp"
#include "runner/open_shell.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>

namespace gantry::app {

namespace {

struct ShellFlags {
    std::string run = "latest", step;
    std::vector<std::string> command;
};

runner::Owner owner_of(const std::string& instance, const std::string& run, const runner::StepKey& step)
{
    runner::Owner owner;
    owner.instance = instance;
    owner.run = run;
    owner.stage = step.stage;
    owner.step = step.step;
    owner.attempt = step.attempt;
    return owner;
}

engine::Mount mount_of(std::string volume, std::string target)
{
    engine::Mount mount;
    mount.source = std::move(volume);
    mount.target = std::move(target);
    mount.no_copy = true;
    return mount;
}

// The caches of its stage, as the journal tells of them; the last one where the run was resumed.
std::vector<engine::Mount> caches_of(const std::vector<runner::RunEvent>& events, const std::string& stage)
{
    std::map<std::string, std::string> volumes; // by path
    for (const auto& event : events)
        if (event.kind == runner::RunEvent::Kind::cache && event.stage == stage && event.outputs.contains("path"))
            volumes[event.outputs.at("path")] = event.object;
    std::vector<engine::Mount> mounts;
    for (const auto& [path, volume] : volumes)
        mounts.push_back(mount_of(volume, path));
    return mounts;
}

// Its names are of this shell alone: others may be open beside it.
runner::ShellRecord record_of(Context& context, const runner::Owner& owner)
{
    const auto meta = context.store().meta(owner.run);
    runner::ShellRecord record;
    record.run = owner.run;
    record.container = runner::object_name(owner, "shell" + random_hex(4));
    record.image = "gantry/shell:" + record.container;
    record.engine_endpoint = meta.engine_endpoint;
    record.engine_id = meta.engine_id;
    return record;
}

// A container like the failed step's: an image of its file system as it was, its environment, user and workspace.
engine::ContainerSpec like(const runner::Owner& owner, const std::string& name, const engine::ImageInfo& image,
                           const std::vector<std::string>& command)
{
    auto stage_owner = owner;
    stage_owner.step.clear();
    stage_owner.attempt = 0;
    engine::ContainerSpec spec;
    spec.name = name;
    spec.labels = runner::labels_of(owner);
    spec.image = image.id;
    spec.entrypoint = command.empty() ? std::vector<std::string>{"sh"} : command;
    spec.command = std::vector<std::string>{};
    spec.working_dir = image.working_dir;
    spec.mounts.push_back(mount_of(runner::object_name(stage_owner, "ws"), runner::k_workspace));
    spec.security.cap_add = engine::default_capabilities();
    spec.tty = terminal_is_there();
    spec.open_stdin = true;
    return spec;
}

awaitable<int> look_inside(Context& context, const std::string& run, const runner::StepKey& step,
                           const std::vector<std::string>& command)
{
    auto& engine = context.engine();
    const auto owner = owner_of(context.store().instance(), run, step);
    const auto failed = runner::object_name(owner);
    const auto status = co_await engine.inspect_container(failed);
    if (status.state == engine::ContainerState::missing)
        throw Error(Errc::not_found, "the container of " + step.stage + "/" + step.step + " in run " + run + " is gone",
                    "run again and keep it: gantry run --keep-failed");

    const auto record = record_of(context, owner);
    runner::OpenShell open(context.store().root(), record);
    const auto labels = runner::labels_of(owner);
    engine::ImageInfo image;
    // An engine finishes the image although nobody waits for it any more.
    const auto commit = [&]() -> awaitable<void> { image = co_await engine.commit_container(failed, record.image, labels); };
    int exit_code = k_exit_infrastructure;
    std::exception_ptr failure;
    try {
        co_await shielded(commit());
        auto spec = like(owner, record.container, image, command);
        for (auto& mount : caches_of(context.store().events(run), step.stage))
            spec.mounts.push_back(std::move(mount));
        open.touch();
        (void)co_await engine.create_container(spec);
        engine::Engine::AttachOptions attach;
        attach.tty = spec.tty;
        attach.open_stdin = true;
        const auto attachment = co_await engine.attach(spec.name, attach);
        co_await engine.start_container(spec.name);
        co_await talk(*attachment, spec.tty);
        const auto exit = co_await engine.wait_container(spec.name);
        exit_code = exit.exit_code;
    } catch (...) {
        failure = std::current_exception();
    }
    co_await ignore_cancellation();
    co_await engine.remove(engine::ObjectKind::container, record.container);
    co_await engine.remove(engine::ObjectKind::image, record.image);
    open.close();
    if (failure)
        std::rethrow_exception(failure);
    co_return exit_code;
}

int shell(Context& context, const ShellFlags& flags)
{
    const auto run = context.store().resolve_id(flags.run);
    const auto step = find_step(context.store().summary(run), flags.step);
    int exit_code = k_exit_ok;
    int signal = 0;
    const auto look = [&]() -> awaitable<void> { exit_code = co_await look_inside(context, run, step, flags.command); };
    context.run([&]() -> awaitable<void> { signal = co_await until_interrupted(look()); });
    return signal == 0 ? exit_code : 128 + signal;
}

} // namespace

void add_shell(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("shell", "Look inside a failed step that --keep-failed kept");
    const auto flags = std::make_shared<ShellFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("")->required();
    command->add_option("STEP", flags->step, "unit, or build/unit where several have that name")->type_name("")->required();
    command->add_option("COMMAND", flags->command, "Instead of sh; after -- when it has options")->type_name("");
    command->footer("Examples:\n"
                    "  gantry run --keep-failed || gantry shell latest unit\n"
                    "  gantry shell latest unit -- sh -c 'ls -l /workspace'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return shell(inner, *flags); };
    });
}

} // namespace gantry::app
