#include "base/format.hpp"
#include "engine/docker/answers.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/own_labels.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

// Networks and volumes, what is there, and taking it away.

namespace gantry::engine::docker {

namespace {

constexpr auto k_measure_limit = 300s;
constexpr auto k_remove_limit = 60s;
constexpr auto k_in_use_limit = 10s;

VolumeInfo volume_info(const Json& answer)
{
    VolumeInfo info;
    info.name = text_field(answer, "Name");
    info.mountpoint = text_field(answer, "Mountpoint");
    return info;
}

std::string removal_path(ObjectKind kind, const std::string& name)
{
    switch (kind) {
    case ObjectKind::container:
        return container_path(name, "?force=1&v=1");
    case ObjectKind::network:
        return "/networks/" + encode_path(name);
    case ObjectKind::volume:
        return "/volumes/" + encode_path(name);
    case ObjectKind::image:
        return "/images/" + encode_path(name) + "?force=1";
    }
    return {};
}

bool being_removed(const Answer& answer)
{
    return answer.status == 409 && answer.body.find("already in progress") != std::string::npos;
}

// A daemon that shuts down has closed its store and still answers: what it removes then is there again when it comes back, and
// asked once more it says that there is no such thing.
bool is_not_kept(const Answer& answer)
{
    return answer.status >= 500 && answer.body.find("failed to update store") != std::string::npos;
}

// Something still holds it, perhaps only until the daemon has finished with it.
bool in_use(ObjectKind kind, const Answer& answer)
{
    const auto text = to_lower(answer.body);
    switch (kind) {
    case ObjectKind::container:
        return answer.status >= 500 && text.find("no space left") == std::string::npos;
    case ObjectKind::network:
        return text.find("active endpoints") != std::string::npos || text.find("being used") != std::string::npos;
    case ObjectKind::volume:
        return answer.status == 409;
    case ObjectKind::image:
        return false;
    }
    return false;
}

awaitable<void> ask(Api& api, Request request, Json& into)
{
    into = co_await api.json(std::move(request), k_limit);
}

awaitable<std::optional<Json>> find_json(Api& api, std::string path)
{
    Request request("GET", std::move(path));
    const auto answer = co_await api.call(std::move(request), k_limit);
    if (answer.status == 404)
        co_return std::nullopt;
    check(answer);
    co_return parse_json(answer.body);
}

// None of an image that is gone meanwhile.
awaitable<Labels> own_labels_of(Api& api, const Object& image)
{
    const auto path = "/images/" + encode_path(image.id);
    const auto inspected = co_await find_json(api, path + "/json");
    const auto history = co_await find_json(api, path + "/history");
    if (!inspected || !history)
        co_return Labels();
    std::optional<Labels> base;
    if (const auto parent = text_field(*inspected, "Parent"); !parent.empty())
        if (const auto found = co_await find_json(api, "/images/" + encode_path(parent) + "/json"))
            base = map_field(field(*found, "Config"), "Labels");
    co_return own_labels(image.labels, *history, base);
}

// Refused because of what was asked for, whatever the status says.
Error bad_spec(const Answer& answer)
{
    const auto error = refused(answer.status, answer.body);
    return Error(Errc::bad_input, error.what(), error.hint());
}

} // namespace

awaitable<void> DockerEngine::create(ObjectKind kind, std::string name, std::function<awaitable<void>()> creation)
{
    try {
        co_await shielded(creation());
    } catch (const Error& error) {
        if (error.code() == Errc::timed_out)
            doubtful_.emplace(kind, std::move(name));
        throw;
    }
}

awaitable<void> DockerEngine::create_network(const NetworkSpec& spec)
{
    Request request("POST", "/networks/create");
    request.body = dump(network_body(spec));
    Answer answer;
    std::function<awaitable<void>()> creation = [&]() -> awaitable<void> {
        answer = co_await api_->call(std::move(request), api_->options().creation_limit);
    };
    co_await create(ObjectKind::network, spec.name, std::move(creation));
    // An overlapping subnet is 403, an unknown driver 404.
    if (answer.status == 403 || answer.status == 404)
        throw bad_spec(answer);
    check(answer);
}

// The engine also takes an id, and the beginning of one.
awaitable<std::optional<NetworkInfo>> DockerEngine::find_network(const std::string& name)
{
    const auto found = co_await find_json(*api_, "/networks/" + encode_path(name));
    if (!found || text_field(*found, "Name") != name)
        co_return std::nullopt;
    co_return NetworkInfo{name, text_field(*found, "Driver")};
}

awaitable<VolumeInfo> DockerEngine::create_volume(const VolumeSpec& spec)
{
    // The daemon answers a second creation with the volume that is there.
    if (co_await find_volume(spec.name))
        throw Error(Errc::conflict, "a volume named " + spec.name + " exists already");
    Request request("POST", "/volumes/create");
    request.body = dump(volume_body(spec));
    Answer answer;
    std::function<awaitable<void>()> creation = [&]() -> awaitable<void> {
        answer = co_await api_->call(std::move(request), api_->options().creation_limit);
    };
    co_await create(ObjectKind::volume, spec.name, std::move(creation));
    if (answer.status == 404)
        throw bad_spec(answer);
    check(answer);
    co_return volume_info(parse_json(answer.body));
}

awaitable<std::optional<VolumeInfo>> DockerEngine::find_volume(const std::string& name)
{
    Request request("GET", "/volumes/" + encode_path(name));
    const auto answer = co_await api_->call(std::move(request), k_limit);
    if (answer.status == 404)
        co_return std::nullopt;
    check(answer);
    co_return volume_info(parse_json(answer.body));
}

awaitable<std::vector<Object>> DockerEngine::list(const Labels& labels)
{
    const auto filters = encode_query(dump(label_filter(labels)));
    const auto containers_path = "/containers/json?all=1&filters=" + filters;
    Json containers, networks, volumes;
    co_await api_->connect();
    co_await both(ask(*api_, Request("GET", containers_path), containers),
                  both(ask(*api_, Request("GET", "/networks?filters=" + filters), networks),
                       ask(*api_, Request("GET", "/volumes?filters=" + filters), volumes)));
    auto all = containers_of(containers);
    std::ranges::move(networks_of(networks), std::back_inserter(all));
    std::ranges::move(volumes_of(volumes), std::back_inserter(all));
    // Podman's filters take any of the labels instead of all.
    std::erase_if(all, [&](const Object& object) { return !carries(object.labels, labels); });
    co_return all;
}

awaitable<std::vector<StoredObject>> DockerEngine::list_stored(const Labels& labels)
{
    co_await api_->connect();
    // It has no filter of its own.
    StoredAnswers answers;
    answers.usage = co_await api_->json(Request("GET", "/system/df"), k_measure_limit);
    const auto filters = encode_query(dump(label_filter(labels)));
    answers.running = co_await api_->json(Request("GET", "/containers/json"), k_limit);
    answers.networks = co_await api_->json(Request("GET", "/networks?filters=" + filters), k_limit);
    answers.volumes = co_await api_->json(Request("GET", "/volumes?filters=" + filters), k_limit);
    auto all = stored_objects(answers);
    const auto is_other = [&](const StoredObject& stored) { return !carries(stored.object.labels, labels); };
    std::erase_if(all, is_other);
    for (auto& stored : all)
        if (stored.object.kind == ObjectKind::image && !stored.object.labels.empty())
            stored.object.labels = co_await own_labels_of(*api_, stored.object);
    std::erase_if(all, is_other);
    co_return all;
}

awaitable<void> DockerEngine::remove(ObjectKind kind, const std::string& name)
{
    if (kind == ObjectKind::container)
        killed_.erase(name); // nobody waited
    co_await with_deadline(k_remove_limit, "remove " + name, remove_or_retry(kind, name));
}

awaitable<void> DockerEngine::remove_or_retry(ObjectKind kind, const std::string& name)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    std::chrono::nanoseconds waited{0};
    for (std::chrono::nanoseconds pause = 10ms;; pause = std::min<std::chrono::nanoseconds>(pause * 2, 500ms)) {
        Request request("DELETE", removal_path(kind, name));
        const auto answer = co_await api_->call(std::move(request), k_remove_limit);
        if (answer.ok()) {
            doubtful_.erase({kind, name});
            co_return;
        }
        if (answer.status == 404 && doubtful_.contains({kind, name}))
            throw Error(Errc::unavailable, name + " may still come: the engine has not answered its creation, or not kept its removal");
        if (is_not_kept(answer)) {
            doubtful_.emplace(kind, name);
            check(answer);
        }
        if (answer.status == 404)
            co_return;
        if (being_removed(answer) && kind == ObjectKind::container) {
            co_await wait_until_gone(name);
            co_return;
        }
        if (!in_use(kind, answer) || waited >= k_in_use_limit)
            check(answer);
        timer.expires_after(pause);
        co_await timer.async_wait(use_awaitable);
        waited += pause;
    }
}

// The daemon removes whatever has the name: who gave it to another image since shall not lose that one.
awaitable<bool> DockerEngine::remove_image(const std::string& name, const std::string& id)
{
    const auto found = co_await find_image(name);
    if (!found || found->id != whole_image_id(id))
        co_return false;
    Request request("DELETE", "/images/" + encode_path(name));
    const auto answer = co_await api_->call(std::move(request), k_remove_limit);
    if (answer.status == 404)
        co_return false;
    check(answer);
    co_return true;
}

// Somebody else removes it.
awaitable<void> DockerEngine::wait_until_gone(const std::string& container)
{
    Request request("POST", container_path(container, "/wait?condition=removed"));
    const auto answer = co_await api_->call(std::move(request), k_remove_limit);
    if (answer.status != 404)
        check(answer);
}

} // namespace gantry::engine::docker
