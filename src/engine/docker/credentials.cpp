#include "engine/docker/credentials.hpp"

#include "base/format.hpp"
#include "base/process.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <set>

namespace gantry::engine::docker {

namespace {

constexpr std::size_t k_config_limit_bytes = 4 * 1024 * 1024;
constexpr std::size_t k_most_registries = 64;

// "https://registry.example.com/v1/" and "registry.example.com" are the same registry.
std::string host_of(std::string_view server)
{
    if (const auto scheme = server.find("://"); scheme != std::string_view::npos)
        server = server.substr(scheme + 3);
    auto host = to_lower(server.substr(0, server.find('/')));
    const bool hub = host == "index.docker.io" || host == "registry-1.docker.io";
    return hub ? "docker.io" : host;
}

std::string helper_for(const Json& config, const std::string& registry)
{
    const auto& helpers = field(config, "credHelpers");
    if (helpers.is_object())
        for (const auto& item : helpers.items())
            if (host_of(item.key()) == registry && item.value().is_string())
                return item.value().get<std::string>();
    return text_field(config, "credsStore");
}

void read_entry(const Json& entry, StoredCredentials& found)
{
    found.identity_token = Secret(text_field(entry, "identitytoken"));
    found.username = Secret(text_field(entry, "username"));
    found.password = Secret(text_field(entry, "password"));
    const auto auth = text_field(entry, "auth");
    if (auth.empty())
        return;
    const auto decoded = base64_decode(auth);
    const auto colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos)
        throw Error(Errc::bad_input, fmt::format("the credentials of {} in Docker's config.json cannot be read", found.server),
                    "sign in again: docker login " + found.server);
    found.username = Secret(decoded->substr(0, colon));
    found.password = Secret(decoded->substr(colon + 1));
}

Json read_config(const std::string& config_dir)
{
    const auto path = config_dir + "/config.json";
    std::ifstream file(path, std::ios::binary);
    if (config_dir.empty() || !file)
        return {};
    const std::string text(std::istreambuf_iterator<char>(file), {});
    auto config = text.size() > k_config_limit_bytes ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
    if (config.is_discarded())
        throw Error(Errc::bad_input, path + " is not valid JSON", "mend it, or sign in again: docker login");
    return config;
}

// Protocol: the server's name on stdin; {"Username", "Secret"} on stdout, or a failure with words on stdout.
void ask_helper(StoredCredentials& found)
{
    if (found.helper.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != std::string::npos)
        throw Error(Errc::bad_input, "Docker's config.json names an impossible credential helper");
    ProcessSpec spec;
    spec.argv = {"docker-credential-" + found.helper, "get"};
    spec.input = found.server;
    const auto result = run_process(spec);
    if (result.exit_code != 0) {
        if (result.output.find("credentials not found") != std::string::npos)
            return;
        const auto words = std::string(trim(result.output.empty() ? result.error_output : result.output));
        throw Error(Errc::denied, fmt::format("{} has no answer for {}: {}", spec.argv[0], found.server, words),
                    "sign in again: docker login " + found.server);
    }
    const auto answer = Json::parse(result.output, nullptr, false);
    const auto username = text_field(answer, "Username");
    if (username == "<token>") {
        found.identity_token = Secret(text_field(answer, "Secret"));
    } else {
        found.username = Secret(username);
        found.password = Secret(text_field(answer, "Secret"));
    }
}

// The AuthConfig of the Engine API; null without credentials.
Json auth_config(const StoredCredentials& found)
{
    Json config = {{"serveraddress", found.server}};
    if (!found.identity_token.empty()) {
        config["identitytoken"] = found.identity_token.reveal();
    } else if (!found.username.empty()) {
        config["username"] = found.username.reveal();
        config["password"] = found.password.reveal();
    } else {
        return {};
    }
    return config;
}

Secret header_of(const Json& config)
{
    return config.empty() ? Secret() : Secret(base64url_encode(config.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

Secret make_header(const std::string& config_dir, const std::string& registry)
{
    auto found = find_credentials(read_config(config_dir), registry);
    if (!found.helper.empty())
        ask_helper(found);
    return header_of(auth_config(found));
}

std::set<std::string> registries_of(const Json& config)
{
    std::set<std::string> registries;
    for (const auto* key : {"auths", "credHelpers"}) {
        const auto& entries = field(config, key);
        if (entries.is_object())
            for (const auto& item : entries.items())
                if (registries.size() < k_most_registries)
                    registries.insert(host_of(item.key()));
    }
    return registries;
}

Secret make_config_header(const std::string& config_dir)
{
    const auto config = read_config(config_dir);
    Json all = Json::object();
    std::set<std::string> silent; // helpers that let us wait in vain
    for (const auto& registry : registries_of(config)) {
        std::string helper;
        try {
            auto found = find_credentials(config, registry);
            helper = found.helper;
            if (silent.contains(helper))
                continue;
            if (!helper.empty())
                ask_helper(found);
            if (auto auth = auth_config(found); !auth.empty())
                all[found.server] = std::move(auth);
        } catch (const Error& error) {
            // A build may well not need this one; if it does, its registry refuses and says which.
            if (error.code() == Errc::timed_out)
                silent.insert(helper);
        }
    }
    return header_of(all);
}

} // namespace

StoredCredentials find_credentials(const Json& config, const std::string& registry)
{
    StoredCredentials found;
    found.server = registry == "docker.io" ? "https://index.docker.io/v1/" : registry;
    found.helper = helper_for(config, registry);
    const auto& entries = field(config, "auths");
    if (!found.helper.empty() || !entries.is_object())
        return found;
    for (const auto& item : entries.items())
        if (host_of(item.key()) == registry) {
            read_entry(item.value(), found);
            break;
        }
    return found;
}

awaitable<Secret> registry_auth(asio::thread_pool& pool, std::string config_dir, std::string registry)
{
    auto work = [config_dir, registry] { return make_header(config_dir, registry); };
    co_return co_await on_pool(pool, std::move(work));
}

awaitable<Secret> registry_config(asio::thread_pool& pool, std::string config_dir)
{
    auto work = [config_dir] { return make_config_header(config_dir); };
    co_return co_await on_pool(pool, std::move(work));
}

} // namespace gantry::engine::docker
