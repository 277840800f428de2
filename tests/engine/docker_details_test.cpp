#include "engine/docker/api.hpp"
#include "engine/docker_support.hpp"

// What the real daemon makes of a spec: read back from inside of the container or from the daemon.

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;

namespace {

docker::Json ask(RealEngine& real, const std::string& path)
{
    docker::Api api(real.pool, docker_options_from_environment());
    return real.run(api.json(docker::Request("GET", path), std::chrono::seconds(30)));
}

// The value of "Name:\tvalue" in a text like /proc/self/status.
std::string status_field(const std::string& text, const std::string& name)
{
    for (const auto& line : split(text, '\n'))
        if (line.rfind(name + ":", 0) == 0)
            return std::string(trim(line.substr(name.size() + 1)));
    return "missing";
}

} // namespace

TEST_CASE("the kernel has the limits, capabilities and flags that were asked for", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    auto spec = real.shell("limits", "cat /proc/self/status; cat /proc/self/limits; touch /x 2>&1; grep . /proc/1/comm; "
                                     "stat -f -c shm=%s*%b /dev/shm; cat /proc/self/oom_score_adj");
    spec.limits.pids = 77;
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.shm_size_bytes = 1 << 20;
    spec.limits.ulimits = {{"nofile", 123, 456}};
    spec.limits.oom_score_adj = 300;
    spec.security.read_only_root = true;

    const auto ran = real.run(real.whole_life(spec));

    CHECK(status_field(ran.out, "NoNewPrivs") == "1");
    CHECK(status_field(ran.out, "Seccomp") == "2");
    // Docker's set without NET_RAW (13), MKNOD (27) and AUDIT_WRITE (29).
    CHECK(status_field(ran.out, "CapEff") == "00000000800405fb");
    CHECK_THAT(ran.out, ContainsSubstring("Read-only file system"));
    CHECK_THAT(ran.out, ContainsSubstring("shm=4096*256"));
    CHECK_THAT(ran.out, ContainsSubstring("\n300\n"));
    const auto files = ran.out.find("Max open files");
    REQUIRE(files != std::string::npos);
    CHECK(ran.out.substr(files, 60).find("123") != std::string::npos);
    CHECK(ran.out.substr(files, 60).find("456") != std::string::npos);
}

TEST_CASE("a pids limit stops a fork bomb, and the container ends", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    auto spec = real.shell("forks", "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done; wait; exit 0");
    spec.limits.pids = 20;
    const auto ran = real.run(real.whole_life(spec));
    CHECK_THAT(ran.err, ContainsSubstring("fork"));
}

TEST_CASE("a child that the kernel killed for memory is told although the step went on", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    // A busy engine does not hear of every kill (docs/troubleshooting.md), and never behind the end.
    bool is_told = false;
    for (int attempt = 0; attempt < 5 && !is_told; ++attempt) {
        auto spec = real.shell("child", "tail /dev/zero; sleep 1; exit 0");
        spec.limits.memory_bytes = 16 << 20;
        const auto ran = real.run(real.whole_life(spec));
        CHECK(ran.exit.exit_code == 0);
        is_told = ran.exit.oom_killed;
    }
    CHECK(is_told);

    const auto ran = real.run(real.whole_life(real.shell("suicide", "kill -9 $$")));
    CHECK(ran.exit.exit_code == 137);
    CHECK_FALSE(ran.exit.oom_killed);
}

TEST_CASE("a container is in all of its networks before it starts", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    NetworkSpec first, second;
    first.name = unique_name("net");
    second.name = unique_name("net");
    first.labels = second.labels = real.labels();
    real.run(real.engine->create_network(first));
    real.run(real.engine->create_network(second));
    auto spec = real.shell("two", "ip -o link");
    spec.network = ContainerSpec::Network::endpoints;
    spec.endpoints = {{first.name, {"one"}, "", ""}, {second.name, {"two"}, "", ""}};

    const auto ran = real.run(real.whole_life(spec));

    CHECK_THAT(ran.out, ContainsSubstring("eth0"));
    CHECK_THAT(ran.out, ContainsSubstring("eth1"));

    spec.endpoints[1].network = unique_name("no-such");
    try {
        real.run(real.whole_life(spec)); // Docker looks for it at the start only
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::bad_input);
        CHECK_THAT(error.what(), ContainsSubstring(spec.endpoints[1].network));
    }
}

TEST_CASE("an anonymous volume goes with its container, a named one stays", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    VolumeSpec named;
    named.name = unique_name("vol");
    named.labels = real.labels();
    real.run(real.engine->create_volume(named));
    auto spec = real.shell("volumes", "true");
    Mount anonymous, known;
    anonymous.target = "/anonymous";
    known.source = named.name;
    known.target = "/named";
    spec.mounts = {anonymous, known};
    real.run(real.engine->create_container(spec));
    std::vector<std::string> volumes;
    const auto container = ask(real, "/containers/" + spec.name + "/json");
    for (const auto& mount : container["Mounts"]) {
        volumes.push_back(mount["Name"]);
        CHECK_FALSE(ask(real, "/volumes/" + volumes.back())["Labels"].empty());
    }
    REQUIRE(volumes.size() == 2);

    real.run(real.engine->remove(ObjectKind::container, spec.name));

    for (const auto& volume : volumes)
        CHECK(real.run(real.engine->find_volume(volume)).has_value() == (volume == named.name));
}

TEST_CASE("a link is followed as a process in the container follows it", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    const auto spec = real.shell("links", "mkdir -p /w/d; cd /w; ln -s b a; ln -s d/../d b; ln -s /nowhere c; ln -s ../../../etc d/up; echo x >file");
    real.run(real.engine->create_container(spec));
    real.run(real.engine->start_container(spec.name));
    real.run(real.engine->wait_container(spec.name));
    const auto leads = [&](const char* path) { return real.run(real.engine->follow_link(spec.name, path)); };
    CHECK(leads("/w/a") == "/w/d");
    CHECK(leads("/w/c") == "/nowhere");
    CHECK(leads("/w/a/up") == "/etc");
    CHECK(leads("/w/file").empty());
    CHECK(leads("/w/d").empty());
    CHECK_THROWS_AS(leads("/w/nothing"), Error);
    real.run(real.engine->remove(ObjectKind::container, spec.name));
}

TEST_CASE("an imported image has its labels and command as they were written", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    const std::string tag = "gantry-test-import:" + random_hex(4);
    const Labels labels{{"a.b", R"(x "y" \z $HOME 'q' é)"}, {"empty", ""}};
    const auto tar = tar_entry("hello", '0', "hi", 0644) + end_of_tar();
    const auto image = real.run(real.engine->import_image(tag, labels, {"/hello", "$x", "\"y\""}, tar));
    CHECK(image.command == std::vector<std::string>{"/hello", "$x", "\"y\""});
    const auto answer = ask(real, "/images/" + tag + "/json");
    CHECK(answer["Config"]["Labels"].get<Labels>() == labels);
    real.run(real.engine->remove(ObjectKind::image, tag));
    CHECK_FALSE(real.run(real.engine->find_image(tag)));
}

TEST_CASE("a terminal has the size that it is given", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    auto spec = real.shell("size", "read line; stty size");
    spec.tty = true;
    spec.open_stdin = true;
    Engine::AttachOptions options;
    options.tty = options.open_stdin = true;
    real.run(real.engine->create_container(spec));
    const auto attachment = real.run(real.engine->attach(spec.name, options));
    real.run(real.engine->start_container(spec.name));
    real.run(attachment->resize(101, 37));
    real.run(attachment->write("\n"));
    TextSink sink;
    real.run(attachment->read_all(sink));
    CHECK_THAT(sink.out, ContainsSubstring("37 101"));
}

TEST_CASE("a hundred megabytes of output come through byte for byte", "[docker]")
{
    // Counts and hashes instead of keeping.
    class Counter final : public OutputSink {
    public:
        awaitable<void> write(Stream, std::string_view bytes) override
        {
            for (const char byte : bytes)
                right = right && byte == k_line[position++ % k_line.size()];
            co_return;
        }
        const std::string k_line = "0123456789abcdefghi\n";
        std::size_t position = 0;
        bool right = true;
    };
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    auto spec = real.shell("flood", "yes 0123456789abcdefghi | head -c 100000000");
    spec.log_driver = "none";
    real.run(real.engine->create_container(spec));
    const Engine::AttachOptions options;
    const auto attachment = real.run(real.engine->attach(spec.name, options));
    real.run(real.engine->start_container(spec.name));
    Counter counter;
    real.run(attachment->read_all(counter));
    CHECK(counter.position == 100'000'000);
    CHECK(counter.right);
}
