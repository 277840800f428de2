#include "base/process.hpp"
#include "engine/docker_support.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
namespace fs = std::filesystem;

extern char** environ;

namespace {

// A dockerd of our own, with everything in one folder. Needs root. Its containerd is a process of its own, as it is where
// Docker is installed: so it outlives a dockerd that is killed.
class PrivateDaemon {
public:
    PrivateDaemon() : folder_(fs::path("/tmp") / ("gd-" + random_hex(4)))
    {
        fs::create_directories(folder_);
        containerd_ = spawn({"containerd", "--root", path("croot"), "--state", path("cstate"), "--address", path("c"),
                             "--log-level", "error"});
    }
    ~PrivateDaemon()
    {
        stop(SIGTERM);
        end(containerd_, SIGTERM);
        while (::umount2(path("data").c_str(), MNT_DETACH) == 0) {
            // Each dockerd mounts it on itself, and one that is killed leaves that.
        }
        delete_bridge();
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    // Makes its bridge, too, where it is.
    static bool possible()
    {
        return ::geteuid() == 0 && find_program("dockerd").has_value() && find_program("containerd").has_value() &&
               find_program("ip").has_value() && make_bridge();
    }
    std::string url() const { return "unix://" + path("s"); }

    // On a bridge of its own: a dockerd without one deletes docker0, which is another daemon's.
    void start()
    {
        dockerd_ = spawn({"dockerd", "-H", url(), "--containerd", path("c"), "--data-root", path("data"), "--exec-root",
                          path("exec"), "--pidfile", path("pid"), "--bridge", k_bridge, "--iptables=false",
                          "--ip6tables=false", "--ip-forward=false", "--userland-proxy=false", "--log-level", "error"});
    }
    void stop(int signal) { end(dockerd_, signal); }

private:
    static constexpr const char* k_bridge = "gantry-test0";

    static bool make_bridge()
    {
        delete_bridge(); // of one that was killed
        return ip({"link", "add", k_bridge, "type", "bridge"}) && ip({"addr", "add", "10.213.92.1/24", "dev", k_bridge}) &&
               ip({"link", "set", k_bridge, "up"});
    }
    static void delete_bridge() { ip({"link", "delete", k_bridge}); }

    static bool ip(std::vector<std::string> words)
    {
        ProcessSpec spec;
        spec.argv = {"ip"};
        spec.argv.insert(spec.argv.end(), words.begin(), words.end());
        return run_process(spec).exit_code == 0;
    }

    std::string path(const char* name) const { return (folder_ / name).string(); }

    pid_t spawn(std::vector<std::string> words) const
    {
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        pid_t pid = -1;
        if (::posix_spawnp(&pid, arguments[0], &files, nullptr, arguments.data(), environ) != 0)
            pid = -1;
        ::posix_spawn_file_actions_destroy(&files);
        return pid;
    }

    static void end(pid_t& pid, int signal)
    {
        if (pid <= 0)
            return;
        ::kill(pid, signal);
        int status = 0;
        ::waitpid(pid, &status, 0);
        pid = -1;
    }

    fs::path folder_;
    pid_t containerd_ = -1, dockerd_ = -1;
};

// Asks again until the daemon answers.
awaitable<void> until_it_answers(Engine& engine)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        try {
            co_await engine.probe();
            co_return;
        } catch (const Error&) {
            timer.expires_after(std::chrono::milliseconds(20));
        }
        co_await timer.async_wait(use_awaitable);
    }
}

template <typename T>
awaitable<void> note_failure(awaitable<T> task, std::string& into)
{
    try {
        co_await std::move(task);
        into = "none";
    } catch (const Error& error) {
        into = std::string(to_string(error.code()));
    }
}

// For what nobody tells us about.
awaitable<void> eventually(std::function<bool()> condition)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!condition()) {
        timer.expires_after(std::chrono::milliseconds(5));
        co_await timer.async_wait(use_awaitable);
    }
}

} // namespace

TEST_CASE("a daemon that is killed makes calls unavailable, and the watch finds it again", "[docker][restart]")
{
    if (!PrivateDaemon::possible()) {
        WARN("skipped: needs root, dockerd and a bridge of its own");
        return;
    }
    auto image = busybox_tar();
    if (image.empty()) {
        WARN("skipped: /bin/busybox is missing (package busybox-static)");
        return;
    }
    RealLoop loop;
    PrivateDaemon daemon;
    DockerOptions options;
    options.host = daemon.url();
    const auto engine = make_docker(loop.pool, options);
    daemon.start();
    loop.run(with_deadline(std::chrono::seconds(60), "dockerd", until_it_answers(*engine)));
    loop.run(engine->import_image(test_image(), {}, {}, std::move(image)));

    ContainerSpec spec;
    spec.name = unique_name("restart");
    spec.image = test_image();
    spec.labels = {{"gantry.test.run", "restart"}};
    spec.command = std::vector<std::string>{"/bin/sh", "-c", "echo here; exec sleep 3600"};
    loop.run(engine->create_container(spec));
    const Engine::AttachOptions attach_options;
    const auto attachment = loop.run(engine->attach(spec.name, attach_options));

    std::vector<EngineEvent::Kind> seen;
    Signal changed(loop.io.get_executor());
    TaskGroup tasks(loop.io.get_executor());
    bool ready = false;
    tasks.spawn([&] {
        return engine->watch(
            spec.labels, [&] { ready = true; changed.notify_all(); },
            [&](const EngineEvent& event) { seen.push_back(event.kind); changed.notify_all(); });
    });
    const auto until = [&](std::function<bool()> condition) {
        loop.run(with_deadline(std::chrono::seconds(90), "the watch", changed.wait_until(condition)));
    };
    until([&] { return ready; });
    loop.run(engine->start_container(spec.name));
    until([&] { return !seen.empty(); });
    CHECK(seen == std::vector{EngineEvent::Kind::started});

    TextSink sink;
    std::string reading, waiting;
    tasks.spawn([&] { return note_failure(attachment->read_all(sink), reading); });
    tasks.spawn([&] { return note_failure(engine->wait_container(spec.name), waiting); });
    // What it prints is here, and the wait has begun once a later call has been answered.
    loop.run(with_deadline(std::chrono::seconds(60), "its output", eventually([&] { return !sink.out.empty(); })));
    loop.run(engine->inspect_container(spec.name));
    daemon.stop(SIGKILL);
    until([&] { return seen.size() >= 2; });
    CHECK(seen[1] == EngineEvent::Kind::lost);
    loop.run(eventually([&] { return !reading.empty() && !waiting.empty(); }));
    CHECK(reading == "unavailable");
    CHECK(waiting == "unavailable");
    CHECK(sink.out == "here\n");

    daemon.start();
    until([&] { return seen.size() >= 3; });
    CHECK(seen[2] == EngineEvent::Kind::restored);
    loop.run(with_deadline(std::chrono::seconds(60), "dockerd", until_it_answers(*engine)));
    loop.run(engine->remove(ObjectKind::container, spec.name));
    loop.run(tasks.close());
}
