#include "engine/docker/connection.hpp"
#include "engine/docker/docker.hpp"

#include "base/format.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace gantry;
using namespace gantry::engine;
using gantry::engine::docker::parse_address;
namespace fs = std::filesystem;

namespace {

// A ~/.docker of its own.
class ConfigFolder {
public:
    ConfigFolder() : path_(fs::temp_directory_path() / ("gantry-docker-test-" + random_hex(6))) { fs::create_directories(path_); }
    ~ConfigFolder() { fs::remove_all(path_); }
    std::string path() const { return path_.string(); }

    void write(const std::string& name, const std::string& text) const
    {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name) << text;
    }
    void add_context(const std::string& name, const std::string& meta) const
    {
        write("contexts/meta/" + sha256_hex(name) + "/meta.json", meta);
    }

private:
    fs::path path_;
};

DockerEndpoint endpoint_at(const std::string& url, bool tls = false)
{
    DockerEndpoint endpoint;
    endpoint.url = url;
    endpoint.source = "DOCKER_HOST";
    endpoint.tls = tls;
    return endpoint;
}

} // namespace

TEST_CASE("the first place that is given is the only one that is asked", "[engine]")
{
    DockerOptions options;
    options.host = "unix:///a.sock";
    options.docker_host = "unix:///b.sock";
    options.context = "c";
    auto endpoints = docker_endpoints(options);
    REQUIRE(endpoints.size() == 1);
    CHECK(endpoints[0].url == "unix:///a.sock");
    CHECK(endpoints[0].source == "--engine-host");

    options.host.clear();
    endpoints = docker_endpoints(options);
    REQUIRE(endpoints.size() == 1);
    CHECK(endpoints[0].url == "unix:///b.sock");
    CHECK(endpoints[0].source == "DOCKER_HOST");
}

TEST_CASE("without any wish Docker's socket comes before Podman's, and the user's before the system's", "[engine]")
{
    DockerOptions options;
    options.runtime_dir = "/run/user/7";
    std::vector<std::string> urls;
    for (const auto& endpoint : docker_endpoints(options))
        urls.push_back(endpoint.url);
    CHECK(urls == std::vector<std::string>{"unix:///var/run/docker.sock", "unix:///run/user/7/docker.sock",
                                           "unix:///run/user/7/podman/podman.sock", "unix:///run/podman/podman.sock"});
}

TEST_CASE("a context is found by its name, with its certificates", "[engine]")
{
    const ConfigFolder folder;
    folder.write("config.json", R"({"currentContext": "far"})");
    folder.add_context("far", R"({"Name":"far","Endpoints":{"docker":{"Host":"tcp://far.example:2376","SkipTLSVerify":false}}})");
    const auto tls = "contexts/tls/" + sha256_hex("far") + "/docker/";
    for (const auto* name : {"ca.pem", "cert.pem", "key.pem"})
        folder.write(tls + name, "x");
    DockerOptions options;
    options.config_dir = folder.path();

    const auto endpoints = docker_endpoints(options);

    REQUIRE(endpoints.size() == 1);
    CHECK(endpoints[0].url == "tcp://far.example:2376");
    CHECK(endpoints[0].source == "context 'far'");
    CHECK(endpoints[0].tls);
    CHECK(endpoints[0].verify);
    CHECK(endpoints[0].cert_file == folder.path() + "/" + tls + "cert.pem");
}

TEST_CASE("DOCKER_CONTEXT goes before the current context, and 'default' means the default", "[engine]")
{
    const ConfigFolder folder;
    folder.write("config.json", R"({"currentContext": "far"})");
    folder.add_context("near", R"({"Endpoints":{"docker":{"Host":"unix:///near.sock"}}})");
    DockerOptions options;
    options.config_dir = folder.path();
    options.context = "near";
    CHECK(docker_endpoints(options)[0].url == "unix:///near.sock");
    CHECK_FALSE(docker_endpoints(options)[0].tls);

    options.context = "default";
    CHECK(docker_endpoints(options)[0].source == "default");

    options.context.clear();
    CHECK_THROWS_WITH(docker_endpoints(options), ContainsSubstring("context 'far' does not exist"));
}

TEST_CASE("a broken config.json does not hide the default engine", "[engine]")
{
    const ConfigFolder folder;
    folder.write("config.json", "{");
    DockerOptions options;
    options.config_dir = folder.path();
    CHECK(docker_endpoints(options)[0].url == "unix:///var/run/docker.sock");
}

TEST_CASE("TLS is switched by DOCKER_TLS_VERIFY or by https, never for a socket", "[engine]")
{
    const ConfigFolder folder;
    folder.write("ca.pem", "x");
    DockerOptions options;
    options.docker_host = "tcp://h:1";
    CHECK_FALSE(docker_endpoints(options)[0].tls);
    options.tls_verify = "1";
    options.cert_path = folder.path();
    CHECK(docker_endpoints(options)[0].tls);
    CHECK(docker_endpoints(options)[0].ca_file == folder.path() + "/ca.pem");
    CHECK(docker_endpoints(options)[0].key_file.empty());
    options.docker_host = "unix:///x";
    CHECK_FALSE(docker_endpoints(options)[0].tls);
    options.tls_verify.clear();
    options.docker_host = "https://h:1";
    CHECK(docker_endpoints(options)[0].tls);
}

TEST_CASE("a certificate without its key, and a folder without either, are told", "[engine]")
{
    const ConfigFolder folder;
    DockerOptions options;
    options.docker_host = "tcp://h:1";
    options.tls_verify = "1";
    options.cert_path = folder.path();
    CHECK_THROWS_WITH(docker_endpoints(options), ContainsSubstring("there is no ca.pem and no cert.pem in " + folder.path()));
    folder.write("cert.pem", "x");
    CHECK_THROWS_WITH(docker_endpoints(options), folder.path() + " has cert.pem and no key.pem");
    folder.write("key.pem", "x");
    CHECK_NOTHROW(docker_endpoints(options));
    // Whoever names no folder may have nothing of his own: the system's authorities are enough.
    const ConfigFolder other;
    options.cert_path.clear();
    options.config_dir = other.path();
    CHECK_NOTHROW(docker_endpoints(options));
}

TEST_CASE("an address is a socket, or a host and a port", "[engine]")
{
    CHECK(parse_address(endpoint_at("unix:///run/x.sock")).path == "/run/x.sock");
    CHECK(parse_address(endpoint_at("tcp://h")).port == "2375");
    CHECK(parse_address(endpoint_at("tcp://h", true)).port == "2376");
    CHECK(parse_address(endpoint_at("tcp://h:99/")).port == "99");
    CHECK(parse_address(endpoint_at("tcp://[::1]:99")).host == "::1");
    CHECK(parse_address(endpoint_at("tcp://[::1]")).port == "2375");
    CHECK(parse_address(endpoint_at("https://h")).tls);
}

TEST_CASE("what is no address names where it came from", "[engine]")
{
    const auto bad = GENERATE(as<std::string>{}, "docker.sock", "unix://relative", "tcp://", "tcp://:1", "tcp://h:", "tcp://h:x",
                              "tcp://h:70000", "ftp://h:1", "");
    CAPTURE(bad);
    CHECK_THROWS_WITH(parse_address(endpoint_at(bad)), ContainsSubstring("DOCKER_HOST"));
}

TEST_CASE("ssh is refused with the way around it", "[engine]")
{
    try {
        parse_address(endpoint_at("ssh://me@host"));
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::unsupported);
        CHECK_THAT(error.hint(), ContainsSubstring("ssh -nNT -L"));
    }
}
