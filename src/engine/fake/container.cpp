#include "engine/fake/daemon.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>
#include <csignal>

// The life of a container of the fake engine, and its files.

namespace gantry::engine {

namespace {

bool is_below(const std::string& path, const std::string& folder)
{
    return path.starts_with(folder.ends_with('/') ? folder : folder + "/");
}

std::string without_slashes(std::string path)
{
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

// All its files by absolute path, those of its mounts over its own.
FakeFiles tree_of(const FakeContainer& container)
{
    auto tree = container.files;
    for (const auto& [target, files] : container.mounts) {
        tree.try_emplace(target + "/");
        for (const auto& [path, contents] : *files)
            tree.insert_or_assign(target + "/" + path, contents);
    }
    return tree;
}

} // namespace

void store_file(FakeContainer& container, const std::string& path, const std::string& contents)
{
    const std::pair<std::string, std::shared_ptr<FakeFiles>>* place = nullptr;
    for (const auto& mount : container.mounts)
        if (is_below(path, mount.first) && (!place || mount.first.size() > place->first.size()))
            place = &mount;
    if (place) {
        const auto name = path.substr(place->first.size() + 1);
        (*place->second)[name] = contents;
        if (const auto upper = container.uppers.find(place->second.get()); upper != container.uppers.end() && !name.empty())
            (*upper->second)[name] = contents;
    } else
        container.files[path] = contents;
}

std::optional<FakeFiles> load_files(const FakeContainer& container, const std::string& path)
{
    const auto tree = tree_of(container);
    const auto plain = without_slashes(path);
    const auto base = plain.substr(plain.rfind('/') + 1);
    if (const auto file = tree.find(plain); file != tree.end())
        return FakeFiles{{base, file->second}};

    const auto folder = plain == "/" ? plain : plain + "/";
    FakeFiles found;
    for (auto file = tree.lower_bound(folder); file != tree.end() && file->first.starts_with(folder); ++file)
        found[base + "/" + file->first.substr(folder.size())] = file->second;
    if (found.empty())
        return std::nullopt;
    found.try_emplace(base + "/");
    return found;
}

FakeVolume* FakeDaemon::volume_at(const std::string& path)
{
    for (auto& [name, volume] : volumes)
        if (mountpoint(name) == path)
            return &volume;
    return nullptr;
}

void FakeDaemon::mount_overlay(FakeVolume& volume)
{
    const auto options = volume.spec.options.find("o");
    if (options == volume.spec.options.end())
        return;
    for (const auto& option : split(options->second, ',')) {
        const auto equals = option.find('=');
        const auto key = option.substr(0, equals);
        if (key != "lowerdir" && key != "upperdir")
            continue;
        for (const auto& path : split(option.substr(equals + 1), ':')) {
            const auto* part = volume_at(path);
            if (!part && path.starts_with(k_volumes))
                throw Error(Errc::internal, "failed to mount volume " + volume.spec.name + ": no such directory: " + path);
            if (part)
                for (const auto& [name, contents] : *part->files)
                    volume.files->try_emplace(name, contents); // the topmost comes first
            if (part && key == "upperdir")
                volume.upper = part->files;
        }
    }
}

void FakeDaemon::mount(FakeContainer& container)
{
    for (const auto& mount : container.spec.mounts)
        if (mount.type == Mount::Type::volume && !mount.source.empty()) {
            auto& volume = volumes.at(mount.source);
            mount_overlay(volume);
            if (volume.upper)
                container.uppers[volume.files.get()] = volume.upper;
        }
    for (const auto& other : container.spec.volumes_from)
        for (const auto& theirs : containers.at(other.substr(0, other.find(':')))->mounts)
            container.mounts.push_back(theirs);
    for (const auto& mount : container.spec.mounts)
        if (mount.type == Mount::Type::volume)
            container.mounts.emplace_back(without_slashes(mount.target),
                                          mount.source.empty() ? std::make_shared<FakeFiles>()
                                                               : volumes.at(mount.source).files);
}

FakeContainerPtr FakeDaemon::find(const std::string& name) const
{
    const auto found = containers.find(name);
    return found == containers.end() ? nullptr : found->second;
}

FakeContainerPtr FakeDaemon::container(const std::string& name) const
{
    if (auto found = find(name))
        return found;
    throw Error(Errc::not_found, "no such container: " + name);
}

FakeContainerPtr FakeDaemon::own_container(const std::string& name, const std::string& doing)
{
    if (auto found = find(name))
        return found;
    violate(doing + " " + name + (ever.contains(name) ? ", which was removed before" : ", which was never created"));
}

FakeContainerPtr FakeDaemon::attach(const std::string& name, const Engine::AttachOptions& options)
{
    const auto found = own_container(name, "attach");
    if (options.tty != found->spec.tty || options.open_stdin != found->spec.open_stdin)
        violate("attach " + name + " with other options than in its spec");
    if (found->attached)
        violate("attach " + name + " twice");
    if (found->state != ContainerState::created && found->start_answered)
        violate("attach " + name + ", which was started before");
    found->attached = true;
    found->pipe = std::make_shared<FakePipe>();
    if (found->state != ContainerState::created)
        found->pipe->closed = !found->running();
    return found;
}

void FakeDaemon::check_start(const FakeContainer& container)
{
    const auto& spec = container.spec;
    for (const auto& endpoint : spec.endpoints)
        if (!networks.contains(endpoint.network))
            throw Error(Errc::not_found, "network " + endpoint.network + " not found");
    if (spec.network == ContainerSpec::Network::container) {
        const auto holder = find(spec.network_container);
        if (!holder || !holder->running())
            throw Error(Errc::conflict, "cannot join the network of " + spec.network_container + ": it does not run");
    }
}

FakeBehaviour FakeDaemon::behaviour_of(const ContainerSpec& spec) const
{
    const auto step = spec.labels.find("gantry.step");
    if (step != spec.labels.end() && !step->second.empty())
        return settings.on_start ? settings.on_start(spec) : FakeBehaviour{};
    FakeBehaviour holds;
    holds.never_ends = true;
    return holds;
}

void FakeDaemon::start(const std::string& name)
{
    const auto found = own_container(name, "start");
    if (found->state != ContainerState::created) {
        if (found->start_answered)
            violate("start " + name + " twice");
        return;
    }
    check_start(*found);
    auto behaviour = behaviour_of(found->spec);
    if (!behaviour.start_error.empty())
        throw Error(Errc::bad_input, behaviour.start_error);
    const bool writes = !behaviour.output.empty() || !behaviour.error_output.empty() || !behaviour.says.empty();
    if (writes && !found->attached)
        violate("start " + name + " without being attached: its output is lost");
    if (behaviour.waits_for_stdin && !found->spec.open_stdin)
        violate("start " + name + ", which waits for its input, without open_stdin");
    if (behaviour.never_ends)
        for (const auto& [path, contents] : behaviour.files)
            store_file(*found, path, contents);

    found->state = ContainerState::running;
    found->started = clock.wall();
    started.push_back(name);
    const auto ended = [daemon = weak_from_this(), weak = std::weak_ptr(found)](int exit_code, bool by_itself) {
        const auto here = daemon.lock();
        const auto container = weak.lock();
        if (here && container)
            here->process_ended(*container, exit_code, by_itself);
    };
    found->process = std::make_shared<FakeProcess>(
        FakeProcess::Setting{executor, &clock, found->pipe, found->input, found->spec.tty}, std::move(behaviour), ended);
    emit(EngineEvent::Kind::started, found.get());
    watch_health(found);
    found->process->begin();
}

void FakeDaemon::watch_health(const FakeContainerPtr& found)
{
    const auto& check = found->spec.healthcheck;
    if (!check || (!check->test.empty() && check->test.front() == "NONE"))
        return;
    const auto after = found->process->behaviour().healthy_after;
    if (after.count() == 0)
        return set_health(*found);
    found->health = "starting";
    const auto cancel = std::make_shared<asio::cancellation_signal>();
    found->health_check = cancel;
    const auto wait = [](std::weak_ptr<FakeDaemon> daemon, std::weak_ptr<FakeContainer> container, Clock& time,
                         Clock::time_point when) -> awaitable<void> {
        co_await time.sleep_until(when);
        const auto here = daemon.lock();
        const auto checked = container.lock();
        if (here && checked && checked->running())
            here->set_health(*checked);
    };
    asio::co_spawn(executor, wait(weak_from_this(), found, clock, clock.now() + after),
                   asio::bind_cancellation_slot(cancel->slot(), [cancel](std::exception_ptr) {}));
}

void FakeDaemon::set_health(FakeContainer& container)
{
    container.health = container.process->behaviour().unhealthy ? "unhealthy" : "healthy";
    emit(EngineEvent::Kind::health, &container);
}

void FakeDaemon::process_ended(FakeContainer& container, int exit_code, bool by_itself)
{
    const auto& behaviour = container.process->behaviour();
    container.exit = {exit_code, by_itself && behaviour.oom_killed, by_itself ? behaviour.exit_error : std::string()};
    if (by_itself)
        for (const auto& [path, contents] : behaviour.files)
            store_file(container, path, contents);
    if (container.exit.oom_killed)
        emit(EngineEvent::Kind::oom, &container);
    settle_exit(container);
    emit(EngineEvent::Kind::died, &container);
}

void FakeDaemon::settle_exit(FakeContainer& container)
{
    container.state = ContainerState::exited;
    container.finished = clock.wall();
    for (const auto& exec : container.execs)
        exec.process->signal(SIGKILL);
    if (const auto check = std::exchange(container.health_check, nullptr))
        check->emit(asio::cancellation_type::terminal);
    container.ended.wake_all();
}

void FakeDaemon::remove_container(const std::string& name)
{
    const auto found = find(name);
    if (!found)
        return;
    if (found->running())
        found->process->signal(SIGKILL);
    else if (found->pipe)
        found->pipe->close(); // it never ran
    containers.erase(name);
    emit(EngineEvent::Kind::destroyed, found.get());
}

ContainerStatus FakeDaemon::status_of(const std::string& name) const
{
    ContainerStatus status;
    const auto found = find(name);
    if (!found)
        return status;
    status.state = found->state;
    status.health = found->health;
    status.exit = found->exit;
    status.started = found->started;
    status.finished = found->finished;
    status.ports = found->spec.ports;
    for (auto& port : status.ports)
        if (port.host_port == 0)
            port.host_port = static_cast<std::uint16_t>(30'000 + port.container_port % 30'000);
    if (found->running() && found->spec.network == ContainerSpec::Network::endpoints)
        status.ip_address = "10.0.0.2";
    return status;
}

void FakeDaemon::unpack(FakeContainer& container, const std::string& path, std::string archive)
{
    if (!path.starts_with('/'))
        violate("upload to \"" + path + "\", which is not absolute");
    const auto folder = path.ends_with('/') ? path : path + "/";
    for (const auto& [name, contents] : read_tar(archive)) {
        const auto plain = name.starts_with("./") ? name.substr(2) : name;
        if (!plain.empty())
            store_file(container, folder + plain, contents);
    }
    if (settings.keeps_uploads)
        uploads.push_back({container.spec.name, path, std::move(archive)});
}

} // namespace gantry::engine
