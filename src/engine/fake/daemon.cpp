#include "engine/fake/daemon.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <algorithm>

namespace gantry::engine {

namespace {

Error unavailable()
{
    return Error(Errc::unavailable, "fake engine: it cannot be reached", "this is a test's doing");
}

bool valid_name(const std::string& name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '.' || letter == '-';
    });
}

} // namespace

// ---- the way there and back

awaitable<void> FakeDaemon::arrive(Call& call)
{
    calls.push_back(call.what);
    call.epoch = epoch;
    if (away)
        throw unavailable();
    if (settings.on_latency) {
        const auto latency = settings.on_latency(call.what);
        call.way_back = latency - latency / 2;
        if (latency.count() > 0)
            co_await clock.sleep_for(latency / 2);
    }
    check_connection(call);
    if (settings.on_call)
        settings.on_call(call.what);
    check_connection(call);
}

awaitable<void> FakeDaemon::answer(const Call& call)
{
    if (call.way_back.count() > 0)
        co_await clock.sleep_for(call.way_back);
    if (settings.on_call) {
        auto what = call.what;
        what.operation = "after " + what.operation;
        settings.on_call(what);
    }
    check_connection(call);
}

void FakeDaemon::check_connection(const Call& call) const
{
    if (away || call.epoch != epoch)
        throw unavailable();
}

void FakeDaemon::violate(std::string what)
{
    violations.push_back(what);
    throw Error(Errc::internal, "fake engine: " + what);
}

// ---- images

bool FakeDaemon::has_image(const std::string& image) const
{
    if (made_images.contains(full_name(image)))
        return true;
    return !settings.images_to_pull.contains(image) &&
           (!settings.only_images || settings.only_images->contains(image));
}

ImageInfo FakeDaemon::image_info(const std::string& image) const
{
    ImageInfo info;
    const auto named = named_images.find(image);
    info.id = named != named_images.end() ? named->second.id : "sha256:" + sha256_hex(image);
    info.command = {"sh"};
    info.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    info.os = "linux";
    info.architecture = "amd64";
    if (const auto found = imported.find(full_name(image)); found != imported.end())
        info.layers = {found->second};
    info.size_bytes = 1'000'000;
    return info;
}

ImageInfo FakeDaemon::pull(const std::string& image, const std::function<void(const PullProgress&)>& progress)
{
    if (!has_image(image) && !settings.images_to_pull.contains(image))
        throw Error(Errc::not_found, "pull access denied for " + image + ", repository does not exist");
    for (const int done : {0, 1})
        if (progress)
            progress({image, 1, done, 1'000'000, done * std::uint64_t{1'000'000}});
    made_images.insert(full_name(image));
    imported.erase(full_name(image));
    auto info = image_info(image);
    info.digest = image + "@" + info.id;
    return info;
}

// ---- objects

std::string FakeDaemon::new_id()
{
    return "fake" + std::to_string(++ids);
}

void FakeDaemon::check_labels(ObjectKind kind, const std::string& name, const Labels& labels)
{
    if (!valid_name(name))
        violate("a " + std::string(to_string(kind)) + " is named \"" + name + "\"");
    for (const auto& key : settings.required_labels)
        if (!labels.contains(key) && (kind != ObjectKind::volume || key == settings.required_labels.front()))
            violate(std::string(to_string(kind)) + " " + name + " has no label " + key);
}

void FakeDaemon::create(const NetworkSpec& spec)
{
    check_labels(ObjectKind::network, spec.name, spec.labels);
    if (networks.contains(spec.name))
        throw Error(Errc::conflict, "network " + spec.name + " exists already");
    if (spec.driver != "bridge" && spec.driver != "overlay" && spec.driver != "macvlan" && spec.driver != "ipvlan")
        throw Error(Errc::bad_input, "network " + spec.name + ": unknown driver " + spec.driver);
    for (const auto& [name, other] : networks)
        for (const auto& theirs : other.spec.subnets)
            for (const auto& ours : spec.subnets)
                if (!ours.subnet.empty() && ours.subnet == theirs.subnet)
                    throw Error(Errc::bad_input, "network " + spec.name + ": its subnet overlaps with that of " + name);
    networks.emplace(spec.name, FakeNetwork{spec, new_id()});
    creation_times[spec.name] = clock.wall();
}

VolumeInfo FakeDaemon::create(const VolumeSpec& spec)
{
    check_labels(ObjectKind::volume, spec.name, spec.labels);
    if (volumes.contains(spec.name))
        throw Error(Errc::conflict, "volume " + spec.name + " exists already");
    if (spec.driver != "local")
        throw Error(Errc::bad_input, "volume " + spec.name + ": unknown driver " + spec.driver);
    FakeVolume volume;
    volume.spec = spec;
    volume.id = spec.name;
    volumes.emplace(spec.name, std::move(volume));
    creation_times[spec.name] = clock.wall();
    return {spec.name, mountpoint(spec.name)};
}

void FakeDaemon::create(const ContainerSpec& spec)
{
    check(spec);
    if (!has_image(spec.image))
        throw Error(Errc::not_found, "no such image: " + spec.image);
    if (containers.contains(spec.name))
        throw Error(Errc::conflict, "container " + spec.name + " exists already");
    const auto made = std::make_shared<FakeContainer>();
    made->spec = spec;
    made->id = new_id();
    made->input = std::make_shared<FakeInput>();
    made->input->closed = !spec.open_stdin;
    mount(*made);
    containers[spec.name] = made;
    ever[spec.name] = made;
    creation_times[spec.name] = clock.wall();
}

void FakeDaemon::check(const ContainerSpec& spec)
{
    using Network = ContainerSpec::Network;
    check_labels(ObjectKind::container, spec.name, spec.labels);
    const auto who = "container " + spec.name + " ";
    if (spec.image.empty())
        violate(who + "has no image");
    if ((spec.network == Network::endpoints) == spec.endpoints.empty())
        violate(who + "has endpoints without being in a network, or the other way round");
    for (const auto& endpoint : spec.endpoints)
        if (!networks.contains(endpoint.network))
            violate(who + "is in network " + endpoint.network + ", which does not exist");
    if ((spec.network == Network::container) == spec.network_container.empty())
        violate(who + "shares a network without naming a container, or the other way round");
    if (spec.network == Network::container && !containers.contains(spec.network_container))
        violate(who + "shares the network of " + spec.network_container + ", which does not exist");
    for (const auto& other : spec.volumes_from)
        if (!containers.contains(other.substr(0, other.find(':'))))
            violate(who + "has the volumes of " + other + ", which does not exist");

    std::set<std::string> targets;
    for (const auto& mount : spec.mounts) {
        if (!mount.target.starts_with('/') || !targets.insert(mount.target).second)
            violate(who + "has a mount at \"" + mount.target + "\", which is not absolute or taken");
        if (mount.type == Mount::Type::volume && !mount.source.empty() && !volumes.contains(mount.source))
            violate(who + "mounts volume " + mount.source + ", which does not exist");
        if (mount.type == Mount::Type::bind && !mount.source.starts_with('/'))
            violate(who + "binds \"" + mount.source + "\", which is not absolute");
    }
}

std::vector<Object> FakeDaemon::list(const Labels& wanted) const
{
    std::vector<Object> found;
    const auto add = [&](ObjectKind kind, const std::string& id, const std::string& name, const Labels& labels) {
        if (carries(labels, wanted))
            found.push_back({kind, id, name, labels});
    };
    for (const auto& [name, container] : containers)
        add(ObjectKind::container, container->id, name, container->spec.labels);
    for (const auto& [name, network] : networks)
        add(ObjectKind::network, network.id, name, network.spec.labels);
    for (const auto& [name, volume] : volumes)
        add(ObjectKind::volume, volume.id, name, volume.spec.labels);
    return found;
}

std::vector<StoredObject> FakeDaemon::list_stored(const Labels& wanted) const
{
    std::vector<StoredObject> all;
    for (auto& object : list(wanted)) {
        StoredObject stored;
        if (const auto when = creation_times.find(object.name); when != creation_times.end())
            stored.created = when->second;
        stored.in_use = object.kind == ObjectKind::container ? find(object.name)->running()
                                                             : user_of(object.kind, object.name).has_value();
        stored.object = std::move(object);
        all.push_back(std::move(stored));
    }
    std::map<std::string, StoredObject> images; // by id
    for (const auto& [name, image] : named_images) {
        if (!carries(image.labels, wanted))
            continue;
        auto& stored = images[image.id];
        if (name != image.id)
            stored.tags.push_back(name);
        stored.object =
            Object{ObjectKind::image, image.id, stored.tags.empty() ? image.id : stored.tags.front(), image.labels};
        stored.size_bytes = image_info(name).size_bytes;
        stored.created = image.created;
        stored.in_use = stored.in_use || std::any_of(containers.begin(), containers.end(), [&, &name = name](const auto& container) {
                            return container.second->spec.image == name;
                        });
    }
    for (auto& [id, stored] : images)
        all.push_back(std::move(stored));
    return all;
}

std::optional<std::string> FakeDaemon::user_of(ObjectKind kind, const std::string& name) const
{
    for (const auto& [user, container] : containers) {
        const auto& spec = container->spec;
        const bool in_network = container->running() &&
                                std::any_of(spec.endpoints.begin(), spec.endpoints.end(),
                                            [&name](const Endpoint& endpoint) { return endpoint.network == name; });
        const bool mounts = std::any_of(spec.mounts.begin(), spec.mounts.end(), [&name](const Mount& mount) {
            return mount.type == Mount::Type::volume && mount.source == name;
        });
        if ((kind == ObjectKind::network && in_network) || (kind == ObjectKind::volume && mounts))
            return user;
    }
    return std::nullopt;
}

void FakeDaemon::remove(ObjectKind kind, const std::string& name)
{
    switch (kind) {
    case ObjectKind::container: return remove_container(name);
    case ObjectKind::network: networks.erase(name); return;
    case ObjectKind::volume: volumes.erase(name); return;
    case ObjectKind::image:
        made_images.erase(full_name(name));
        named_images.erase(name);
        if (settings.only_images)
            settings.only_images->erase(name);
        return;
    }
}

bool FakeDaemon::remove_image(const std::string& name, const std::string& id)
{
    if (!has_image(name) || image_info(name).id != id)
        return false;
    const auto is_further_name = [&](const auto& named) {
        return named.second.id == id && named.first != name && named.first != id;
    };
    const bool is_last = std::none_of(named_images.begin(), named_images.end(), is_further_name);
    for (const auto& [user, container] : containers)
        if (is_last && image_info(container->spec.image).id == id)
            throw Error(Errc::conflict, "image " + name + " is in use by container " + user);
    remove(ObjectKind::image, name);
    if (is_last)
        remove(ObjectKind::image, id);
    return true;
}

// ---- events

FakeSubscription::FakeSubscription(std::shared_ptr<FakeDaemon> at, Labels wanted)
    : daemon(std::move(at)), watcher(std::make_shared<FakeWatcher>())
{
    watcher->wanted = std::move(wanted);
    daemon->watchers.push_back(watcher);
}

FakeSubscription::~FakeSubscription()
{
    daemon->watchers.remove(watcher);
}

std::chrono::nanoseconds FakeDaemon::event_latency(const EngineEvent& event) const
{
    static constexpr const char* k_kinds[] = {"started", "died", "oom", "health", "destroyed", "lost", "restored"};
    if (!settings.on_latency)
        return {};
    return settings.on_latency({"event", event.container, k_kinds[static_cast<int>(event.kind)]});
}

void FakeDaemon::emit(EngineEvent::Kind kind, const FakeContainer* container)
{
    if (away)
        return;
    EngineEvent event;
    event.kind = kind;
    event.time = clock.wall();
    if (container) {
        event.container = container->spec.name;
        event.labels = container->spec.labels;
        event.health = container->health;
        if (kind == EngineEvent::Kind::died)
            event.exit_code = container->exit.exit_code;
    }
    for (const auto& watcher : watchers)
        if (!container || carries(event.labels, watcher->wanted)) {
            watcher->events.push_back(event);
            watcher->changed.wake_all();
        }
}

// ---- going away

void FakeDaemon::go_away()
{
    if (away)
        return;
    emit(EngineEvent::Kind::lost, nullptr);
    away = true;
    ++epoch;
    for (const auto& [name, container] : containers) {
        if (container->pipe)
            container->pipe->break_off();
        for (const auto& exec : container->execs)
            exec.pipe->break_off();
        container->pipe.reset();
        container->attached = false;
        container->ended.wake_all();
    }
}

void FakeDaemon::come_back(bool containers_survive)
{
    if (!away)
        return;
    for (const auto& [name, container] : containers) {
        if (containers_survive || !container->running())
            continue;
        container->process->abandon();
        container->exit = {128 + 9, false, {}};
        settle_exit(*container);
    }
    away = false;
    emit(EngineEvent::Kind::restored, nullptr);
    back.wake_all();
}

void FakeDaemon::shut_down()
{
    for (const auto& [name, container] : ever) {
        container->ended.drop_all();
        container->input->changed.drop_all();
        if (container->pipe)
            container->pipe->changed.drop_all();
        if (container->process)
            container->process->abandon();
        for (const auto& exec : container->execs) {
            exec.process->abandon();
            exec.pipe->changed.drop_all();
            exec.input->changed.drop_all();
        }
        if (container->health_check)
            container->health_check->emit(asio::cancellation_type::terminal);
    }
    for (const auto& watcher : watchers)
        watcher->changed.drop_all();
    back.drop_all();
}

std::string FakeDaemon::describe() const
{
    static constexpr const char* k_states[] = {"created", "running", "exited", "missing"};
    std::string text = away ? "the engine is away\n" : "";
    for (const auto& [name, container] : containers) {
        text += "container " + name + " " + k_states[static_cast<int>(container->state)];
        if (container->running() && container->process->behaviour().waits_for_stdin && !container->input->closed)
            text += ", waiting for its input to be closed";
        text += ", awaited by " + std::to_string(container->ended.size()) + "\n";
    }
    for (const auto& [name, network] : networks)
        text += "network " + name + "\n";
    for (const auto& [name, volume] : volumes)
        text += "volume " + name + "\n";
    const auto first = calls.size() > 10 ? calls.size() - 10 : 0;
    for (auto index = first; index < calls.size(); ++index)
        text += "call " + std::to_string(index) + ": " + to_string(calls[index]) + "\n";
    for (const auto& violation : violations)
        text += "violation: " + violation + "\n";
    return text;
}

} // namespace gantry::engine
