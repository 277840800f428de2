#include "engine/docker/answers.hpp"
#include "engine/docker/bodies.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::engine::docker;
using namespace std::chrono_literals;

namespace {

ContainerSpec plain()
{
    ContainerSpec spec;
    spec.name = "x";
    spec.image = "busybox";
    return spec;
}

Json host_of(const ContainerSpec& spec, const Dialect& dialect = {})
{
    return container_body(spec, dialect)["HostConfig"];
}

} // namespace

TEST_CASE("a plain container has the safe defaults", "[engine]")
{
    const auto body = container_body(plain(), {});
    const auto& host = body["HostConfig"];
    CHECK(host["Init"] == true);
    CHECK(host["NetworkMode"] == "none");
    CHECK(host["CapDrop"] == Json::array({"ALL"}));
    CHECK(host["SecurityOpt"] == Json::array({"no-new-privileges:true"}));
    CHECK(host["Privileged"] == false);
    CHECK(host["LogConfig"]["Type"] == "none"); // nobody reads what the engine would keep
    CHECK_FALSE(body.contains("Entrypoint"));
    CHECK_FALSE(body.contains("Cmd"));
    CHECK_FALSE(body.contains("User"));
    CHECK_FALSE(host.contains("Memory"));
    CHECK(body["AttachStdin"] == false);
}

TEST_CASE("every limit goes to the engine, and memory has no swap on top", "[engine]")
{
    auto spec = plain();
    spec.limits.memory_bytes = 1000;
    spec.limits.cpus = 1.5;
    spec.limits.cpu_shares = 7;
    spec.limits.pids = 8;
    spec.limits.shm_size_bytes = 9;
    spec.limits.ulimits = {{"nofile", 10, 11}};
    spec.limits.device_read_iops = {{"/dev/sda", 12}};
    spec.limits.device_write_iops = {{"/dev/sdb", 13}};
    spec.limits.oom_kill_disable = true;
    spec.limits.oom_score_adj = 14;
    const auto host = host_of(spec);
    CHECK(host["Memory"] == 1000);
    CHECK(host["MemorySwap"] == 1000);
    CHECK(host["NanoCpus"] == 1'500'000'000);
    CHECK(host["CpuShares"] == 7);
    CHECK(host["PidsLimit"] == 8);
    CHECK(host["ShmSize"] == 9);
    CHECK(host["Ulimits"] == Json::array({{{"Name", "nofile"}, {"Soft", 10}, {"Hard", 11}}}));
    CHECK(host["BlkioDeviceReadIOps"] == Json::array({{{"Path", "/dev/sda"}, {"Rate", 12}}}));
    CHECK(host["BlkioDeviceWriteIOps"] == Json::array({{{"Path", "/dev/sdb"}, {"Rate", 13}}}));
    CHECK(host["OomKillDisable"] == true);
    CHECK(host["OomScoreAdj"] == 14);
}

TEST_CASE("security options, devices and kernel settings go to the engine", "[engine]")
{
    auto spec = plain();
    spec.security.privileged = true;
    spec.security.read_only_root = true;
    spec.security.cap_drop = {"NET_RAW"};
    spec.security.cap_add = {"SYS_PTRACE"};
    spec.security.security_opt = {"seccomp=unconfined"};
    spec.security.sysctls = {{"net.core.somaxconn", "1"}};
    spec.security.devices = {"/dev/a", "/dev/a:/dev/b", "/dev/a:r", "/dev/a:/dev/b:rw"};
    const auto host = host_of(spec);
    CHECK(host["Privileged"] == true);
    CHECK(host["ReadonlyRootfs"] == true);
    CHECK(host["CapDrop"] == Json::array({"NET_RAW"}));
    CHECK(host["CapAdd"] == Json::array({"SYS_PTRACE"}));
    CHECK(host["SecurityOpt"] == Json::array({"seccomp=unconfined", "no-new-privileges:true"}));
    CHECK(host["Sysctls"]["net.core.somaxconn"] == "1");
    const auto device = [&](std::size_t index) {
        const auto& one = host["Devices"][index];
        return one["PathOnHost"].get<std::string>() + " " + one["PathInContainer"].get<std::string>() + " " +
               one["CgroupPermissions"].get<std::string>();
    };
    CHECK(device(0) == "/dev/a /dev/a rwm");
    CHECK(device(1) == "/dev/a /dev/b rwm");
    CHECK(device(2) == "/dev/a /dev/a r");
    CHECK(device(3) == "/dev/a /dev/b rw");

    spec.security.no_new_privileges = false;
    spec.security.security_opt.clear();
    CHECK_FALSE(host_of(spec).contains("SecurityOpt"));
}

TEST_CASE("an old engine takes the first network at creation, a new one all", "[engine]")
{
    auto spec = plain();
    spec.network = ContainerSpec::Network::endpoints;
    spec.endpoints = {{"one", {"web"}, "10.0.0.2", ""}, {"two", {}, "", "fd00::2"}};
    auto body = container_body(spec, {41, false});
    CHECK(body["HostConfig"]["NetworkMode"] == "one");
    auto places = body["NetworkingConfig"]["EndpointsConfig"];
    CHECK(places.size() == 1);
    CHECK(places["one"]["Aliases"] == Json::array({"web"}));
    CHECK(places["one"]["IPAMConfig"]["IPv4Address"] == "10.0.0.2");
    CHECK_FALSE(takes_all_endpoints({41, false}));

    places = container_body(spec, {44, false})["NetworkingConfig"]["EndpointsConfig"];
    CHECK(places.size() == 2);
    CHECK(places["two"]["IPAMConfig"]["IPv6Address"] == "fd00::2");
    CHECK(takes_all_endpoints({44, false}));

    spec.endpoints.clear();
    CHECK_THROWS_AS(container_body(spec, {}), Error);
}

TEST_CASE("a container can share another's network or the host's", "[engine]")
{
    auto spec = plain();
    spec.network = ContainerSpec::Network::container;
    spec.network_container = "db";
    CHECK(host_of(spec)["NetworkMode"] == "container:db");
    spec.network = ContainerSpec::Network::host;
    CHECK(host_of(spec)["NetworkMode"] == "host");
}

TEST_CASE("ports are exposed and bound, with the engine's choice where none is given", "[engine]")
{
    auto spec = plain();
    spec.ports = {{80, "tcp", "127.0.0.1", 8080}, {53, "udp", "", 0}, {81, "tcp", "", 8000, 8010}};
    const auto body = container_body(spec, {});
    CHECK(body["ExposedPorts"].contains("80/tcp"));
    CHECK(body["ExposedPorts"].contains("53/udp"));
    const auto& bindings = body["HostConfig"]["PortBindings"];
    CHECK(bindings["80/tcp"] == Json::array({{{"HostIp", "127.0.0.1"}, {"HostPort", "8080"}}}));
    CHECK(bindings["53/udp"] == Json::array({{{"HostPort", ""}}}));
    CHECK(bindings["81/tcp"] == Json::array({{{"HostPort", "8000-8010"}}}));
}

TEST_CASE("a port without a number is all that the image exposes", "[engine]")
{
    auto spec = plain();
    spec.ports = {{}};
    const auto body = container_body(spec, {});
    CHECK(body["HostConfig"]["PublishAllPorts"] == true);
    CHECK_FALSE(body.contains("ExposedPorts"));
}

TEST_CASE("mounts of each type keep all their options", "[engine]")
{
    auto spec = plain();
    Mount volume;
    volume.source = "v";
    volume.target = "/v";
    volume.no_copy = true;
    volume.read_only = true;
    Mount bind;
    bind.type = Mount::Type::bind;
    bind.source = "/host";
    bind.target = "/b";
    Mount shared = bind;
    shared.target = "/s";
    shared.propagation = "rshared";
    shared.create_host_path = true;
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/t";
    tmpfs.tmpfs_size_bytes = 10;
    tmpfs.tmpfs_mode = 01777;
    Mount owned = tmpfs;
    owned.target = "/o";
    owned.tmpfs_options = {"uid=1000", "exec"};
    spec.mounts = {volume, bind, tmpfs, shared, owned};
    spec.volumes_from = {"other"};
    const auto host = host_of(spec);
    const auto& mounts = host["Mounts"];
    CHECK(mounts[0] == Json{{"Type", "volume"}, {"Source", "v"}, {"Target", "/v"}, {"ReadOnly", true}, {"VolumeOptions", {{"NoCopy", true}}}});
    CHECK(mounts[1] == Json{{"Type", "bind"}, {"Source", "/host"}, {"Target", "/b"}, {"ReadOnly", false}});
    CHECK(mounts[2]["BindOptions"] == Json{{"Propagation", "rshared"}, {"CreateMountpoint", true}});
    CHECK(mounts.size() == 3);
    CHECK(host["Tmpfs"] == Json{{"/o", "rw,size=10,mode=1777,uid=1000,exec"}, {"/t", "rw,size=10,mode=1777"}});
    CHECK(host["VolumesFrom"] == Json::array({"other"}));
}

TEST_CASE("a volume that is gone by then is made anew with our labels, so that it is found", "[engine]")
{
    auto spec = plain();
    spec.labels = {{"gantry.run", "1"}};
    Mount named, anonymous;
    named.source = "v";
    named.target = "/v";
    anonymous.target = "/a";
    spec.mounts = {named, anonymous};
    const auto host = host_of(spec);
    CHECK(host["Mounts"][0]["VolumeOptions"]["Labels"] == Json{{"gantry.run", "1"}});
    CHECK(host["Mounts"][1]["VolumeOptions"]["Labels"] == Json{{"gantry.run", "1"}}); // everything that is created has them
}

TEST_CASE("a part of a volume needs a new engine, and an old one is never given less", "[engine]")
{
    auto spec = plain();
    Mount volume;
    volume.source = "v";
    volume.target = "/v";
    volume.subpath = "sub";
    spec.mounts = {volume};
    CHECK(host_of(spec, {45, false})["Mounts"][0]["VolumeOptions"]["Subpath"] == "sub");
    CHECK_THROWS_WITH(container_body(spec, {44, false}), ContainsSubstring("subpath"));
    CHECK_THROWS_WITH(container_body(spec, {45, true}), ContainsSubstring("subpath"));
}

TEST_CASE("what the image decides is left out, and what the step decides is there", "[engine]")
{
    auto spec = plain();
    spec.entrypoint = std::vector<std::string>{};
    spec.command = std::vector<std::string>{"a", "b"};
    spec.environment = {{"A", "1"}, {"B", "x=y"}};
    spec.user = "u";
    spec.working_dir = "/w";
    spec.hostname = "h";
    spec.stop_signal = "SIGINT";
    spec.open_stdin = true;
    spec.tty = true;
    spec.log_driver = "journald";
    HealthcheckSpec check;
    check.test = {"CMD", "true"};
    check.interval = 2s;
    check.retries = 3;
    spec.healthcheck = check;
    const auto body = container_body(spec, {});
    CHECK(body["Entrypoint"] == Json::array());
    CHECK(body["Cmd"] == Json::array({"a", "b"}));
    CHECK(body["Env"] == Json::array({"A=1", "B=x=y"}));
    CHECK(body["User"] == "u");
    CHECK(body["WorkingDir"] == "/w");
    CHECK(body["Hostname"] == "h");
    CHECK(body["StopSignal"] == "SIGINT");
    CHECK(body["StdinOnce"] == true);
    CHECK(body["Tty"] == true);
    CHECK(body["HostConfig"]["LogConfig"]["Type"] == "journald");
    CHECK(body["Healthcheck"]["Interval"] == 2'000'000'000);
    CHECK(body["Healthcheck"]["Retries"] == 3);
}

TEST_CASE("options of a log driver that is not named are for the engine's default one", "[engine]")
{
    auto spec = plain();
    spec.log_options = {{"max-size", "1k"}};
    const auto log = host_of(spec)["LogConfig"];
    CHECK(log["Type"] == "");
    CHECK(log["Config"] == Json{{"max-size", "1k"}});

    Dialect podman;
    podman.podman = true;
    CHECK(host_of(spec, podman)["LogConfig"] == Json{{"Type", "k8s-file"}, {"Config", {{"max-size", "1k"}}}});
    spec.log_options = {{"tag", "x"}};
    CHECK(host_of(spec, podman)["LogConfig"]["Config"] == Json{{"max-size", "16m"}, {"tag", "x"}});
}

TEST_CASE("bytes that are no UTF-8 are refused, not altered", "[engine]")
{
    auto spec = plain();
    spec.environment = {{"A", "\xff"}};
    const auto body = container_body(spec, {});
    CHECK_THROWS_WITH(dump(body), ContainsSubstring("UTF-8"));
}

TEST_CASE("labels of an image survive quotes, backslashes and dollars, but no line ends", "[engine]")
{
    CHECK(label_change("a.b", R"(x "y" \z $HOME)") == R"(LABEL "a.b"="x \"y\" \\z \$HOME")");
    CHECK_THROWS_AS(label_change("a", "b\nRUN x"), Error);
}

TEST_CASE("a label without a value matches any value", "[engine]")
{
    CHECK(label_filter({{"a", "1"}, {"b", ""}}) == Json{{"label", {"a=1", "b"}}});
    CHECK(label_filter({}) == Json::object());
}

TEST_CASE("the state of a container is read with its times, health and ports", "[engine]")
{
    const auto answer = Json::parse(R"({
        "State": {"Status": "exited", "ExitCode": 3, "OOMKilled": true, "Error": "e",
                  "StartedAt": "2024-05-01T10:20:30.5Z", "FinishedAt": "0001-01-01T00:00:00Z", "Health": {"Status": "unhealthy"}},
        "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.9"}},
                            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "81/tcp": null}}})");
    const auto status = container_status(answer);
    CHECK(status.state == ContainerState::exited);
    CHECK(status.health == "unhealthy");
    CHECK(status.exit == ContainerExit{3, true, "e"});
    CHECK(status.started.time_since_epoch() == 1714558830500ms);
    CHECK(status.finished.time_since_epoch() == 0ms);
    CHECK(status.ip_address == "10.0.0.9");
    REQUIRE(status.ports.size() == 1);
    CHECK(status.ports[0].container_port == 80);
    CHECK(status.ports[0].host_port == 32768);
}

TEST_CASE("the digest of an image is the one of the name that was asked for", "[engine]")
{
    const auto answer = Json::parse(R"({"Id": "sha256:1", "Size": 5, "RepoDigests": ["other@sha256:2", "reg:5/app@sha256:3"],
        "Config": {"Entrypoint": null, "Cmd": ["sh"], "Env": ["A=1"], "User": "u", "WorkingDir": "/w", "Shell": ["/bin/bash", "-c"],
                   "Healthcheck": {"Test": ["CMD", "x"]}}})");
    const auto info = image_info(answer, "reg:5/app:1");
    CHECK(info.digest == "reg:5/app@sha256:3");
    CHECK(info.command == std::vector<std::string>{"sh"});
    CHECK(info.entrypoint.empty());
    CHECK(info.shell == std::vector<std::string>{"/bin/bash", "-c"});
    REQUIRE(info.healthcheck);
    CHECK(info.healthcheck->test == std::vector<std::string>{"CMD", "x"});
    CHECK(info.size_bytes == 5);
}

TEST_CASE("answers of another shape give empty values", "[engine]")
{
    for (const auto* text : {"null", "[]", "{}", R"({"State": 1, "Config": "x", "RepoDigests": {}, "Volumes": null})", "[1,null,{}]"}) {
        const auto answer = Json::parse(text);
        CAPTURE(text);
        CHECK(container_status(answer).exit.exit_code == 0);
        CHECK(image_info(answer, "x").id.empty());
        CHECK(volumes_of(answer).empty());
        CHECK_FALSE(engine_event(answer));
        CHECK(engine_info(answer, answer).id.empty());
        containers_of(answer);
    }
}

TEST_CASE("events carry the container's name, its labels and what happened", "[engine]")
{
    const auto event = [](const std::string& action) {
        Json message = Json::parse(R"({"Type": "container", "timeNano": 1714558830500000000,
            "Actor": {"ID": "1", "Attributes": {"name": "web", "image": "i", "exitCode": "7", "gantry.run": "r"}}})");
        message["Action"] = action;
        return engine_event(message);
    };
    const auto died = event("die");
    REQUIRE(died);
    CHECK(died->kind == EngineEvent::Kind::died);
    CHECK(died->container == "web");
    CHECK(died->exit_code == 7);
    CHECK(died->labels == Labels{{"gantry.run", "r"}});
    CHECK(died->time.time_since_epoch() == 1714558830500ms);
    CHECK(event("health_status: unhealthy")->health == "unhealthy");
    CHECK(event("oom")->kind == EngineEvent::Kind::oom);
    CHECK(event("destroy")->kind == EngineEvent::Kind::destroyed);
    CHECK_FALSE(event("exec_start: sh"));
}
