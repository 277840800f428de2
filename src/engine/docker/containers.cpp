#include "engine/docker/answers.hpp"
#include "engine/docker/docker_engine.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <optional>

namespace gantry::engine::docker {

namespace {

constexpr auto k_start_limit = 120s;
constexpr std::size_t k_exit_limit_bytes = 64 * 1024;
constexpr int k_killed = 128 + 9;

// Missing may be what the container names, such as an external network, or a variant of its image.
awaitable<Answer> send_naming(Api& api, Request request, std::chrono::nanoseconds limit)
{
    auto answer = co_await api.call(std::move(request), limit);
    if (answer.ok())
        co_return answer;
    const auto error = refused(answer.status, answer.body);
    const auto says = [text = to_lower(answer.body)](const char* words) { return text.find(words) != std::string::npos; };
    if (error.code() != Errc::not_found || says("no such image") || says("no such container"))
        throw error;
    throw Error(Errc::bad_input, error.what(),
                says("platform") ? "fetch the variant for it: pull_policy: always" : "create it first, or leave out what names it");
}

// "10.8.0.5, fd00::5": the addresses that a container is to have, by an answer to /containers/NAME/json.
std::string fixed_addresses_of(const Json& container)
{
    std::vector<std::string> addresses;
    const auto& networks = field(field(container, "NetworkSettings"), "Networks");
    if (networks.is_object())
        for (const auto& network : networks)
            for (const auto* key : {"IPv4Address", "IPv6Address"})
                if (auto address = text_field(field(network, "IPAMConfig"), key); !address.empty())
                    addresses.push_back(std::move(address));
    return join(addresses, ", ");
}

Json parse_exit(const std::string& text)
{
    if (text.empty())
        throw Error(Errc::unavailable, "the container engine went away while a container ran");
    return parse_json(text);
}

ContainerExit exit_of(const ContainerStatus& status, const Json& answer)
{
    ContainerExit exit = status.exit;
    exit.exit_code = static_cast<int>(number_field(answer, "StatusCode"));
    if (const auto error = text_field(field(answer, "Error"), "Message"); !error.empty())
        exit.error = error;
    return exit;
}

} // namespace

awaitable<std::vector<std::string>> DockerEngine::create_container(const ContainerSpec& spec)
{
    co_await api_->connect();
    Json body = container_body(spec, dialect());
    // The API reads an empty command as "the image's" unless an entrypoint is given too.
    if (spec.command && spec.command->empty() && !spec.entrypoint) {
        const auto image = co_await existing_image(spec.image);
        body["Entrypoint"] = image.entrypoint;
    }
    Request request("POST", "/containers/create?name=" + encode_query(spec.name));
    if (!spec.platform.empty())
        request.target += "&platform=" + encode_query(spec.platform);
    request.body = dump(body);
    std::vector<std::string> left_out;
    std::function<awaitable<void>()> creation = [&]() -> awaitable<void> {
        const auto answer = co_await send_naming(*api_, std::move(request), api_->options().creation_limit);
        left_out = list_field(parse_json(answer.body), "Warnings");
    };
    co_await create(ObjectKind::container, spec.name, std::move(creation));
    if (spec.network == ContainerSpec::Network::endpoints && spec.endpoints.size() > 1 && !takes_all_endpoints(dialect()))
        co_await connect_further(spec);
    co_return left_out;
}

awaitable<void> DockerEngine::connect_further(const ContainerSpec& spec)
{
    std::exception_ptr failure;
    try {
        for (std::size_t index = 1; index < spec.endpoints.size(); ++index) {
            const auto& endpoint = spec.endpoints[index];
            Request request("POST", "/networks/" + encode_path(endpoint.network) + "/connect");
            request.body = dump({{"Container", spec.name}, {"EndpointConfig", endpoint_body(endpoint)}});
            co_await api_->send(std::move(request), k_limit);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure)
        co_return;
    // The creation as a whole has failed: nothing of it stays.
    co_await ignore_cancellation();
    try {
        co_await remove(ObjectKind::container, spec.name);
    } catch (const Error&) {
        // The first failure says more; the caller's reaper knows the name.
    }
    std::rethrow_exception(failure);
}

awaitable<void> DockerEngine::check_network_holder(const std::string& container)
{
    Request inspection("GET", container_path(container, "/json"));
    const auto answer = co_await api_->json(std::move(inspection), k_limit);
    const auto mode = text_field(field(answer, "HostConfig"), "NetworkMode");
    constexpr std::string_view k_of_another = "container:";
    if (!mode.starts_with(k_of_another))
        co_return;
    const auto holder = mode.substr(k_of_another.size());
    const auto status = co_await inspect_container(holder);
    if (status.state != ContainerState::running)
        throw Error(Errc::conflict, "cannot join the network of a container that does not run: " + holder);
}

awaitable<void> DockerEngine::start_container(const std::string& container)
{
    co_await api_->connect();
    if (dialect().podman)
        co_await check_network_holder(container);
    Request request("POST", container_path(container, "/start"));
    std::optional<Error> failure;
    try {
        (void)co_await send_naming(*api_, std::move(request), k_start_limit);
    } catch (const Error& error) {
        if (std::string_view(error.what()) != "Address already in use") // all that Docker says of it
            throw;
        failure = error;
    }
    if (!failure)
        co_return;
    Request inspection("GET", container_path(container, "/json"));
    const auto answer = co_await api_->call(std::move(inspection), k_limit);
    const auto addresses = answer.ok() ? fixed_addresses_of(parse_json(answer.body)) : std::string();
    if (!addresses.empty())
        failure->add_context(addresses);
    throw Error(*failure);
}

// Answers at the end with all of it: 0 of a container that somebody has removed, or that it is not there any more. Both are a kill.
awaitable<ContainerExit> DockerEngine::wait_on_podman(const std::string& container)
{
    Request request("POST", container_path(container, "/wait?condition=not-running"));
    Json answer;
    try {
        const auto exchange = co_await api_->open(std::move(request), 24h * 365);
        answer = parse_exit(co_await exchange->read_all(k_exit_limit_bytes));
    } catch (const Error& error) {
        if (std::string_view(error.what()).find("does not exist in database") == std::string_view::npos) // it had found it by its name
            throw;
    }
    const auto status = co_await inspect_container(container);
    auto exit = exit_of(status, answer);
    if (status.state == ContainerState::missing)
        exit.exit_code = k_killed;
    killed_.erase(container);
    co_return exit;
}

awaitable<ContainerExit> DockerEngine::wait_container(const std::string& container)
{
    co_await api_->connect();
    if (dialect().podman)
        co_return co_await wait_on_podman(container);
    Request request("POST", container_path(container, "/wait?condition=not-running"));
    const auto exchange = co_await api_->open(std::move(request), k_limit); // the header comes at once
    const auto answer = parse_exit(co_await exchange->read_all(k_exit_limit_bytes));
    const auto status = co_await inspect_container(container);

    auto exit = exit_of(status, answer);
    const bool killed_by_us = killed_.erase(container) > 0;
    const bool is_suspicious = exit.exit_code != 0 && exit.error.empty() && !exit.oom_killed && !killed_by_us;
    if (is_suspicious && !co_await end_is_told(container))
        throw Error(Errc::unavailable, "the container engine has been stopped, and the container with it");
    if (is_suspicious && exit.exit_code == k_killed)
        exit.oom_killed = co_await oom_is_told(container, status.started);
    co_return exit;
}

awaitable<void> DockerEngine::kill_container(const std::string& container, const std::string& signal)
{
    Request request("POST", container_path(container, "/kill?signal=" + encode_query(signal)));
    killed_.insert(container);
    const auto answer = co_await api_->call(std::move(request), k_limit);
    if (answer.ok())
        co_return;
    const auto error = refused(answer.status, answer.body);
    if (error.code() != Errc::not_found && error.code() != Errc::conflict) // it does not run
        throw error;
}

awaitable<ContainerStatus> DockerEngine::inspect_container(const std::string& container)
{
    Request request("GET", container_path(container, "/json"));
    const auto answer = co_await api_->call(std::move(request), k_limit);
    if (answer.status == 404)
        co_return ContainerStatus();
    check(answer);
    co_return container_status(parse_json(answer.body));
}

} // namespace gantry::engine::docker
