#include "engine/docker/docker.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "engine/docker/json.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gantry::engine {

namespace {

using docker::Json;

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::optional<std::string> read_text(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string joined(const std::string& folder, const std::string& name)
{
    return folder.empty() ? std::string() : folder + "/" + name;
}

void use_certificates(DockerEndpoint& endpoint, const std::string& folder)
{
    const auto existing = [&](const char* name) {
        const auto path = joined(folder, name);
        std::error_code ignored;
        return !path.empty() && std::filesystem::exists(path, ignored) ? path : std::string();
    };
    endpoint.ca_file = existing("ca.pem");
    endpoint.cert_file = existing("cert.pem");
    endpoint.key_file = existing("key.pem");
    if (endpoint.cert_file.empty() != endpoint.key_file.empty())
        throw Error(Errc::bad_input,
                    fmt::format("{} has {} and no {}", folder, endpoint.key_file.empty() ? "cert.pem" : "key.pem",
                                endpoint.key_file.empty() ? "key.pem" : "cert.pem"),
                    "a certificate and its key go together: put the other one there, or take this one away");
}

void require_certificates(const DockerEndpoint& endpoint, const std::string& folder)
{
    if (endpoint.ca_file.empty() && endpoint.cert_file.empty())
        throw Error(Errc::bad_input, "DOCKER_CERT_PATH: there is no ca.pem and no cert.pem in " + folder,
                    "it names the folder with ca.pem, cert.pem and key.pem; see that you may read it");
}

bool is_remote(const std::string& url)
{
    return url.rfind("unix://", 0) != 0;
}

// --engine-host and DOCKER_HOST: TLS is switched by DOCKER_TLS_VERIFY (any value) or by https.
DockerEndpoint from_host(const std::string& host, const std::string& source, const DockerOptions& options)
{
    DockerEndpoint endpoint;
    endpoint.url = host.find("://") == std::string::npos && host.rfind('/', 0) == 0 ? "unix://" + host : host;
    endpoint.source = source;
    endpoint.tls = is_remote(endpoint.url) && (!options.tls_verify.empty() || endpoint.url.rfind("https://", 0) == 0);
    if (endpoint.tls)
        use_certificates(endpoint, options.cert_path.empty() ? options.config_dir : options.cert_path);
    if (endpoint.tls && !options.cert_path.empty())
        require_certificates(endpoint, options.cert_path);
    return endpoint;
}

std::string current_context(const DockerOptions& options)
{
    if (!options.context.empty())
        return options.context;
    const auto text = read_text(joined(options.config_dir, "config.json"));
    if (!text)
        return {};
    return docker::text_field(Json::parse(*text, nullptr, false), "currentContext");
}

// contexts/meta/<sha256 of the name>/meta.json, and contexts/tls/<same>/docker/{ca,cert,key}.pem.
DockerEndpoint from_context(const std::string& name, const DockerOptions& options)
{
    const auto digest = sha256_hex(name);
    const auto path = joined(options.config_dir, "contexts/meta/" + digest + "/meta.json");
    const auto text = read_text(path);
    if (!text)
        throw Error(Errc::bad_input, fmt::format("the Docker context '{}' does not exist", name),
                    "see: docker context ls, or unset DOCKER_CONTEXT");
    const auto meta = Json::parse(*text, nullptr, false);
    const auto& place = docker::field(docker::field(meta, "Endpoints"), "docker");
    DockerEndpoint endpoint;
    endpoint.url = docker::text_field(place, "Host");
    endpoint.source = fmt::format("context '{}'", name);
    if (endpoint.url.empty())
        throw Error(Errc::bad_input, fmt::format("the Docker context '{}' names no host", name), "look into " + path);
    use_certificates(endpoint, joined(options.config_dir, "contexts/tls/" + digest + "/docker"));
    endpoint.verify = !docker::flag_field(place, "SkipTLSVerify");
    endpoint.tls = is_remote(endpoint.url) && (!endpoint.ca_file.empty() || !endpoint.cert_file.empty() ||
                                               !endpoint.verify || endpoint.url.rfind("https://", 0) == 0);
    return endpoint;
}

} // namespace

DockerOptions docker_options_from_environment()
{
    DockerOptions options;
    options.docker_host = environment("DOCKER_HOST");
    options.tls_verify = environment("DOCKER_TLS_VERIFY");
    options.cert_path = environment("DOCKER_CERT_PATH");
    options.context = environment("DOCKER_CONTEXT");
    options.config_dir = environment("DOCKER_CONFIG");
    const auto home = environment("HOME");
    if (options.config_dir.empty() && !home.empty())
        options.config_dir = home + "/.docker";
    options.runtime_dir = environment("XDG_RUNTIME_DIR");
    return options;
}

std::vector<DockerEndpoint> docker_endpoints(const DockerOptions& options)
{
    if (!options.host.empty())
        return {from_host(options.host, "--engine-host", options)};
    if (!options.docker_host.empty())
        return {from_host(options.docker_host, "DOCKER_HOST", options)};
    const auto context = current_context(options);
    if (!context.empty() && context != "default")
        return {from_context(context, options)};

    std::vector<std::string> paths = {"/var/run/docker.sock"};
    if (!options.runtime_dir.empty()) {
        paths.push_back(options.runtime_dir + "/docker.sock");
        paths.push_back(options.runtime_dir + "/podman/podman.sock");
    }
    paths.push_back("/run/podman/podman.sock");
    std::vector<DockerEndpoint> endpoints;
    for (const auto& path : paths) {
        DockerEndpoint endpoint;
        endpoint.url = "unix://" + path;
        endpoint.source = "default";
        endpoints.push_back(endpoint);
    }
    return endpoints;
}

} // namespace gantry::engine
