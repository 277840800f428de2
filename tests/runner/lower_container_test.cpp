// Compose's keys of a container, and the defaults that protect.
#include "base/error.hpp"
#include "runner/lower.hpp"
#include "runner/lower_container.hpp"
#include "runner/lower_fixture.hpp"
#include "support/catch.hpp"

#include <chrono>

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::check_consent;
using Words = std::vector<std::string>;

namespace {

pipeline::VolumeMount volume(pipeline::VolumeMount::Type type, const char* source, const char* target)
{
    pipeline::VolumeMount result;
    result.type = type;
    result.source = pipeline::Text(source);
    result.target = pipeline::Text(target);
    return result;
}

bool has_word(const Words& words, const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); }

} // namespace

TEST_CASE("a container that says nothing is protected", "[lower]")
{
    const auto spec = LowerFixture().lower();
    CHECK(spec.security.cap_drop == Words{"ALL"});
    CHECK(spec.security.cap_add == engine::default_capabilities());
    CHECK(spec.security.no_new_privileges);
    CHECK_FALSE(spec.security.privileged);
    CHECK(spec.security.security_opt.empty());
    CHECK(spec.limits.pids == 4096);
    CHECK_FALSE(spec.limits.memory_bytes);
    CHECK(spec.init);
    CHECK(spec.mounts.size() == 1); // the workspace
    CHECK_FALSE(spec.healthcheck);
}

TEST_CASE("simple keys arrive as they are", "[lower]")
{
    LowerFixture fixture;
    auto& container = fixture.container();
    container.user = pipeline::Text("1000:1000");
    container.hostname = pipeline::Text("box");
    container.platform = "linux/arm64";
    container.extra_hosts = {"db:10.0.0.1"};
    container.dns = {"1.1.1.1"};
    container.dns_search = {"corp"};
    container.dns_opt = {"ndots:1"};
    container.read_only = true;
    container.init = false;
    container.stop_signal = "SIGQUIT";
    container.runtime = "crun";
    container.sysctls = {{"net.core.somaxconn", "1024"}};
    container.logging = pipeline::Logging{"json-file", {{"max-size", "10m"}}};

    const auto spec = fixture.lower();
    CHECK(spec.user == "1000:1000");
    CHECK(spec.hostname == "box");
    CHECK(spec.platform == "linux/arm64");
    CHECK(spec.extra_hosts == Words{"db:10.0.0.1"});
    CHECK(spec.dns == Words{"1.1.1.1"});
    CHECK(spec.dns_search == Words{"corp"});
    CHECK(spec.dns_options == Words{"ndots:1"});
    CHECK(spec.security.read_only_root);
    CHECK_FALSE(spec.init);
    CHECK(spec.stop_signal == "SIGQUIT");
    CHECK(spec.runtime == "crun");
    CHECK(spec.security.sysctls.at("net.core.somaxconn") == "1024");
    CHECK(spec.log_driver == "json-file");
    CHECK(spec.log_options.at("max-size") == "10m");
}

TEST_CASE("limits keep their units", "[lower]")
{
    LowerFixture fixture;
    auto& container = fixture.container();
    container.memory_bytes = 512 << 20;
    container.cpus = 1.5;
    container.cpu_shares = 512;
    container.pids_limit = 100;
    container.shm_size_bytes = 64 << 20;
    container.ulimits = {{"nofile", {1024, 2048}}};
    container.device_read_iops = {{"/dev/sda", 100}};
    container.device_write_iops = {{"/dev/sda", 50}};
    container.oom_kill_disable = true;
    container.oom_score_adj = 500;

    const auto limits = fixture.lower().limits;
    CHECK(limits.memory_bytes == 512u << 20);
    CHECK(limits.cpus == 1.5);
    CHECK(limits.cpu_shares == 512);
    CHECK(limits.pids == 100);
    CHECK(limits.shm_size_bytes == 64u << 20);
    CHECK(limits.ulimits.at(0).name == "nofile");
    CHECK(limits.ulimits.at(0).soft == 1024);
    CHECK(limits.ulimits.at(0).hard == 2048);
    CHECK(limits.device_read_iops.at(0) == std::pair(std::string("/dev/sda"), std::uint64_t(100)));
    CHECK(limits.device_write_iops.at(0).second == 50);
    CHECK(limits.oom_kill_disable);
    CHECK(limits.oom_score_adj == 500);
    container.pids_limit = -1;
    CHECK_FALSE(fixture.lower().limits.pids);
}

TEST_CASE("a range of ports is as many ports", "[lower]")
{
    LowerFixture fixture;
    fixture.container().ports = {{"127.0.0.1", "8000-8002", "80-82", "tcp", {}}, {"", "", "53", "udp", {}}};
    const auto ports = fixture.lower().ports;
    REQUIRE(ports.size() == 4);
    CHECK(ports[2].container_port == 82);
    CHECK(ports[2].host_port == 8002);
    CHECK(ports[2].host_ip == "127.0.0.1");
    CHECK(ports[3].container_port == 53);
    CHECK(ports[3].host_port == 0);
    CHECK(ports[3].protocol == "udp");
    const auto refuses = [](const char* published, const char* target) {
        LowerFixture other;
        other.container().ports = {{"", published, target, "tcp", {}}};
        CHECK_THROWS_AS(other.lower(), Error);
    };
    refuses("8000-8001", "80-82");
    refuses("8001-8000", "80-81");
    refuses("70000", "80");
    refuses("", "eighty");
}

TEST_CASE("of a range for one port a free one is picked", "[lower]")
{
    LowerFixture fixture;
    fixture.container().ports = {{"", "8000-8010", "80", "tcp", {}}};
    const auto ports = fixture.lower().ports;
    REQUIRE(ports.size() == 1);
    CHECK(ports[0].container_port == 80);
    CHECK(ports[0].host_port == 8000);
    CHECK(ports[0].last_host_port == 8010);
}

TEST_CASE("volumes are the run's, the host's with consent, in memory, or nameless", "[lower]")
{
    using Type = pipeline::VolumeMount::Type;
    LowerFixture fixture;
    fixture.plan.volumes.resize(2);
    fixture.plan.volumes[0].name = "scratch";
    fixture.plan.volumes[1].name = "shared";
    fixture.plan.volumes[1].external = true;
    fixture.context.consent = {"host-paths"};
    auto in_memory = volume(Type::tmpfs, "", "/mem");
    in_memory.tmpfs_size_bytes = 1024;
    in_memory.tmpfs_mode = 0700;
    auto read_only = volume(Type::volume, "shared", "/shared/");
    read_only.read_only = read_only.nocopy = true;
    read_only.subpath = "sub";
    auto bound = volume(Type::bind, "/srv/data", "/data");
    bound.propagation = "rslave";
    bound.create_host_path = true;
    fixture.container().volumes = {volume(Type::volume, "scratch", "/scratch"), read_only, volume(Type::volume, "", "/anon"),
                                   bound, in_memory};

    const auto mounts = fixture.lower().mounts;
    REQUIRE(mounts.size() == 6);
    CHECK(mounts[1].source == runner::volumes_of(fixture.plan, {"1f2e", "17"}).at(0).name);
    CHECK(mounts[2].source == "shared");
    CHECK(mounts[2].target == "/shared");
    CHECK(mounts[2].read_only);
    CHECK(mounts[2].no_copy);
    CHECK(mounts[2].subpath == "sub");
    CHECK(mounts[3].source.empty());
    CHECK(mounts[4].type == engine::Mount::Type::bind);
    CHECK(mounts[4].source == "/srv/data");
    CHECK(mounts[4].propagation == "rslave");
    CHECK(mounts[4].create_host_path);
    CHECK(mounts[5].type == engine::Mount::Type::tmpfs);
    CHECK(mounts[5].tmpfs_size_bytes == 1024);
    CHECK(mounts[5].tmpfs_mode == 0700);
}

TEST_CASE("volumes that cannot be are refused", "[lower]")
{
    using Type = pipeline::VolumeMount::Type;
    const auto message = [](const pipeline::VolumeMount& mount) {
        LowerFixture fixture;
        fixture.context.consent = {"all"};
        fixture.container().volumes = {mount};
        try {
            fixture.lower();
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(message(volume(Type::volume, "nowhere", "/x")) == "volumes: there is no volume 'nowhere'");
    CHECK(message(volume(Type::volume, "", "x")) == "volumes: 'x' is not a path from the root");
    CHECK(message(volume(Type::volume, "", "/workspace/")) == "volumes: /workspace is taken by gantry");
    CHECK(message(volume(Type::volume, "", "/x/../workspace")) == "volumes: /workspace is taken by gantry");
    CHECK(message(volume(Type::volume, "", "/x/../../y")) == "volumes: '/x/../../y' leads out of the container");
    CHECK(message(volume(Type::tmpfs, "", "/run/gantry/env")) == "volumes: /run/gantry/env is taken by gantry");
    CHECK(message(volume(Type::volume, "", "/workspace/node_modules")).empty());
    CHECK_THAT(message(volume(Type::bind, "./src", "/src")), ContainsSubstring("is not a path from the root of the engine's host"));
}

TEST_CASE("tmpfs takes size, mode and options", "[lower]")
{
    LowerFixture fixture;
    fixture.container().tmpfs = {"/run", "/tmp:size=64m,mode=1777,nosuid"};
    const auto mounts = fixture.lower().mounts;
    REQUIRE(mounts.size() == 3);
    CHECK(mounts[1].target == "/run");
    CHECK(mounts[2].tmpfs_size_bytes == 64u << 20);
    CHECK(mounts[2].tmpfs_mode == 01777);
    CHECK(mounts[2].tmpfs_options.empty());
    fixture.container().tmpfs = {"/tmp:uid=1000,exec"};
    CHECK(fixture.lower().mounts.at(1).tmpfs_options == std::vector<std::string>{"uid=1000", "exec"});
    fixture.container().tmpfs = {"/tmp:exce"};
    CHECK_THROWS_WITH(fixture.lower(), "tmpfs: the option 'exce' cannot be set");
    fixture.container().tmpfs = {"/tmp", "/tmp"};
    CHECK_THROWS_WITH(fixture.lower(), "volumes: two of them are at /tmp");
}

TEST_CASE("capabilities are dropped and added by name", "[lower]")
{
    LowerFixture fixture;
    auto& container = fixture.container();
    container.cap_drop = {"CAP_CHOWN", "kill"};
    container.cap_add = {"net_raw"};
    auto added = fixture.lower().security.cap_add;
    CHECK_FALSE(has_word(added, "CHOWN"));
    CHECK_FALSE(has_word(added, "KILL"));
    CHECK(has_word(added, "NET_RAW"));
    CHECK(has_word(added, "SETUID"));
    container.cap_drop = {"ALL"};
    container.cap_add = {"CHOWN"};
    CHECK(fixture.lower().security.cap_add == Words{"CHOWN"});
    container.cap_add = {"SYS_ADMIN"};
    CHECK_THROWS_WITH(fixture.lower(), "the capability SYS_ADMIN reaches the engine's host and needs your consent");
    container.cap_add = {"ALL"};
    container.cap_drop.clear();
    fixture.context.consent = {"privileged"};
    CHECK(fixture.lower().security.cap_add == Words{"ALL"});
    CHECK(fixture.lower().security.cap_drop.empty());
}

TEST_CASE("what reaches the host needs the consent that is named", "[lower]")
{
    const auto check = [](const char* consent, auto change) {
        LowerFixture fixture;
        change(fixture.container());
        INFO(consent);
        fixture.context.consent = {"another"};
        try {
            fixture.lower();
            FAIL("no error");
        } catch (const Error& error) {
            CHECK(error.code() == Errc::bad_input);
            CHECK(error.hint() == std::string("if you trust this pipeline: --allow ") + consent);
        }
        const auto found = check_consent(fixture.plan, {});
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == "needs-consent");
        for (const char* given : {consent, "all"}) {
            fixture.context.consent = {given};
            CHECK_NOTHROW(fixture.lower());
            CHECK(check_consent(fixture.plan, {given}).empty());
        }
    };
    check("privileged", [](pipeline::Container& c) { c.privileged = true; });
    check("host-paths", [](pipeline::Container& c) { c.volumes = {volume(pipeline::VolumeMount::Type::bind, "/", "/host")}; });
    check("devices", [](pipeline::Container& c) { c.devices = {"/dev/fuse"}; });
    check("host-namespaces", [](pipeline::Container& c) { c.network_mode = "host"; });
    check("security-opt", [](pipeline::Container& c) { c.security_opt = {"seccomp=unconfined"}; });
    check("security-opt", [](pipeline::Container& c) { c.security_opt = {"no-new-privileges:false"}; });
}

TEST_CASE("a volume whose driver's options may name a folder of the host needs consent", "[lower]")
{
    using Options = std::map<std::string, std::string>;
    const auto asks = [](const Options& options) {
        auto plan = plan_of({stage("a", {}, {step("one")})});
        auto& volume = plan.volumes.emplace_back();
        volume.name = "data";
        volume.driver_opts = options;
        volume.mark = {0, 2, 3};
        const auto found = check_consent(plan, {});
        if (found.empty()) {
            CHECK_NOTHROW(runner::refuse_obstacles(volume, {}));
            return false;
        }
        CHECK_THROWS_AS(runner::refuse_obstacles(volume, {}), Error);
        CHECK(found[0].mark.line == 2);
        CHECK(found[0].path == "volumes.data.driver_opts");
        CHECK(found[0].hint == "if you trust this pipeline: --allow host-paths");
        CHECK(check_consent(plan, {"host-paths"}).empty());
        return true;
    };
    CHECK(asks({{"type", "none"}, {"o", "bind"}, {"device", "/"}}));
    CHECK(asks({{"type", "nfs"}, {"o", "addr=192.0.2.1"}, {"device", ":/"}}));
    CHECK(asks({{"mountpoint", "/"}})); // of some plugin
    // The kernel looks at `bind` first, and not at the type then.
    CHECK(asks({{"type", "tmpfs"}, {"o", "size=1m,bind"}, {"device", "/"}}));
    CHECK(asks({{"type", "tmpfs"}, {"o", "rbind"}, {"device", "/"}}));
    CHECK_FALSE(asks({{"type", "tmpfs"}, {"o", "size=1m,uid=1000,noexec"}, {"device", "tmpfs"}}));
    CHECK_FALSE(asks({}));
}

TEST_CASE("a network that is the host's needs consent, by whatever name", "[lower]")
{
    const auto told = [](bool external, const char* name, const char* external_name, const char* driver,
                         const runner::Consent& consent, const std::map<std::string, std::string>& options = {}) {
        auto plan = plan_of({stage("a", {}, {step("one")})});
        auto& network = plan.networks.emplace_back();
        network.name = name;
        network.external_name = external_name;
        network.external = external;
        network.driver = driver;
        network.driver_opts = options;
        network.mark = {0, 2, 3};
        const auto found = check_consent(plan, consent);
        CHECK(found.empty() == [&] {
            try {
                runner::refuse_obstacles(network, consent);
                return true;
            } catch (const Error&) {
                return false;
            }
        }());
        return found.empty() ? std::string() : std::to_string(found[0].mark.line) + " " + found[0].path + " | " + found[0].hint;
    };
    const std::string ask = " | if you trust this pipeline: --allow host-namespaces";
    CHECK(told(true, "host", "", "", {}) == "2 networks.host.external" + ask);
    CHECK(told(true, "h", "host", "", {}) == "2 networks.h.external" + ask);
    CHECK(told(true, "h", "host", "", {"host-namespaces"}).empty());
    CHECK(told(false, "lan", "", "macvlan", {}) == "2 networks.lan.driver" + ask);
    CHECK(told(false, "lan", "", "ipvlan", {"all"}).empty());
    CHECK(told(false, "host", "", "", {}).empty()); // one of its own
    CHECK(told(false, "host", "", "bridge", {}, {{"com.docker.network.bridge.name", "virbr0"}}) ==
          "2 networks.host.driver_opts" + ask);
    CHECK(told(false, "host", "", "bridge", {"host-namespaces"}, {{"com.docker.network.bridge.name", "virbr0"}}).empty());
    CHECK(told(false, "host", "", "bridge", {"all"}, {{"com.docker.network.bridge.name", "docker0"}}) == "2 networks.host.driver_opts | ");
    CHECK(told(false, "host", "", "bridge", {}, {{"com.docker.network.driver.mtu", "1400"}}).empty());
    CHECK(told(true, "shared", "", "", {}).empty());
}

TEST_CASE("what is Gantry's own is nobody's external volume or network, with whatever consent", "[lower]")
{
    auto plan = plan_of({stage("a", {}, {step("one")})});
    auto& volume = plan.volumes.emplace_back();
    volume.name = "v";
    volume.external = true;
    auto& network = plan.networks.emplace_back();
    network.name = "n";
    network.external = true;
    const auto problems = [&](const char* name) {
        volume.external_name = network.external_name = name;
        return check_consent(plan, {"all"}).size();
    };
    CHECK(problems("gantry-4fe4db30-cache-71db90f68e76db68") == 2);
    CHECK(problems("gantry-4fe4db30-17-main.net") == 2);
    CHECK(problems(runner::object_name({"00ff00ff", "3", "main"}, "ws").c_str()) == 2);
    CHECK(problems("gantry-data") == 0);
    CHECK(problems("gantry-e2e-shop") == 0);
    CHECK(problems("gantry-") == 0);
    CHECK(problems("data") == 0);
}

TEST_CASE("a build on the host's network is refused before anything runs", "[lower]")
{
    auto built = step("one");
    built.build.emplace();
    built.build->network = "host";
    built.build->mark = {0, 7, 5};
    const auto plan = plan_of({stage("a", {}, {built})});

    const auto found = check_consent(plan, {});

    REQUIRE(found.size() == 1);
    CHECK(found[0].mark.line == 7);
    CHECK(found[0].hint == "if you trust this pipeline: --allow host-namespaces");
    CHECK(check_consent(plan, {"host-namespaces"}).empty());
}

TEST_CASE("privileges that were consented to arrive", "[lower]")
{
    LowerFixture fixture;
    auto& container = fixture.container();
    fixture.context.consent = {"all"};
    container.devices = {"/dev/fuse", "/dev/a:/dev/b", "/dev/c:r", "/dev/d:/dev/e:rw"};
    container.security_opt = {"seccomp=unconfined", "no-new-privileges:true"};
    auto security = fixture.lower().security;
    CHECK(security.devices == Words{"/dev/fuse:/dev/fuse:rwm", "/dev/a:/dev/b:rwm", "/dev/c:/dev/c:r", "/dev/d:/dev/e:rw"});
    CHECK(security.security_opt == Words{"seccomp=unconfined"});
    CHECK(security.no_new_privileges);
    container.security_opt = {"no-new-privileges:false"};
    CHECK_FALSE(fixture.lower().security.no_new_privileges);
    container.privileged = true;
    security = fixture.lower().security;
    CHECK(security.privileged);
    CHECK(security.cap_drop.empty());
    container.devices = {"fuse"};
    CHECK_THROWS_WITH(fixture.lower(), "devices: 'fuse' is not a device");
}

TEST_CASE("consent is asked for all steps at once, with their positions", "[lower]")
{
    auto first = step("one");
    first.container.privileged = true;
    first.container.marks["privileged"] = {0, 7, 5};
    auto second = step("two");
    second.container.devices = {"/dev/fuse"};
    second.mark = {0, 3, 1};
    auto skipped = step("three");
    skipped.container.privileged = true;
    skipped.skip_reason = "no";
    const auto plan = plan_of({stage("a", {}, {first, second, skipped})});

    const auto found = check_consent(plan, {});

    REQUIRE(found.size() == 2);
    CHECK(found[0].mark.line == 3);
    CHECK(found[0].path == "stages.a.steps.two.devices");
    CHECK(found[1].mark.line == 7);
    CHECK(found[1].message == "a/one: privileged reaches the engine's host and needs your consent");
    CHECK(found[1].hint == "if you trust this pipeline: --allow privileged");
}

TEST_CASE("what no engine does yet is refused, never left out", "[lower]")
{
    const auto refuses = [](auto change) {
        LowerFixture fixture;
        fixture.context.consent = {"all"};
        change(fixture.container());
        try {
            fixture.lower();
            FAIL("no error");
        } catch (const Error& error) {
            CHECK(error.code() == Errc::unsupported);
        }
        CHECK(check_consent(fixture.plan, {"all"}).at(0).code == "unsupported");
    };
    refuses([](pipeline::Container& c) { c.network_mode = "container:db"; });
    refuses([](pipeline::Container& c) { c.volumes_from = {"container:db"}; });
}

TEST_CASE("a computed name of a host is looked at before an engine gets it", "[lower]")
{
    LowerFixture fixture;
    fixture.container().hostname = "web_1.example.com";
    CHECK(fixture.lower().hostname == "web_1.example.com");
    fixture.container().hostname = "a b/";
    CHECK_THROWS_WITH(fixture.lower(), "hostname: 'a b/' is not the name of a host");
    fixture.container().hostname = std::string(65, 'a');
    CHECK_THROWS(fixture.lower());
}

TEST_CASE("a step shares the network and the volumes of a service", "[lower]")
{
    LowerFixture fixture;
    fixture.context.services = {{"db", "gantry-db"}, {"web", "gantry-web"}};
    fixture.container().network_mode = "service:db";
    fixture.container().volumes_from = {"web:ro", "db"};
    const auto spec = fixture.lower();
    CHECK(spec.network == engine::ContainerSpec::Network::container);
    CHECK(spec.network_container == "gantry-db");
    CHECK(spec.volumes_from == Words{"gantry-web:ro", "gantry-db"});

    fixture.container().network_mode = "service:other";
    CHECK_THROWS_WITH(fixture.lower(), "network_mode: there is no service 'other' in this stage");
}

TEST_CASE("a health check keeps its times, and can be turned off", "[lower]")
{
    LowerFixture fixture;
    auto& check = fixture.container().healthcheck.emplace();
    check.test = {"CMD", "pg_isready"};
    check.interval = 1s;
    check.timeout = 3s;
    check.start_period = 5s;
    check.retries = 30;
    const auto spec = fixture.lower().healthcheck;
    REQUIRE(spec);
    CHECK(spec->test == Words{"CMD", "pg_isready"});
    CHECK(spec->interval == 1s);
    CHECK(spec->timeout == 3s);
    CHECK(spec->start_period == 5s);
    CHECK(spec->retries == 30);
    check.disable = true;
    CHECK(fixture.lower().healthcheck->test == Words{"NONE"});
}
