#pragma once

#include "base/async.hpp"
#include "base/format.hpp"
#include "engine/docker/docker.hpp"
#include "support/catch.hpp"

#include <boost/asio/detached.hpp>

#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What the tests of the Docker back-end share: a loop in real time, a tiny image, and a sink that keeps what it gets.

namespace gantry::test {

// One entry of an uncompressed ustar archive (POSIX.1-2017, pax, "ustar Interchange Format").
inline std::string tar_entry(const std::string& name, char type, const std::string& contents, unsigned mode,
                             const std::string& link = {})
{
    std::array<char, 512> header{};
    const auto put = [&](std::size_t at, const std::string& text) { text.copy(header.data() + at, text.size()); };
    const auto octal = [&](std::size_t at, std::size_t width, unsigned long value) {
        std::string digits(width - 1, '0');
        for (auto place = digits.rbegin(); place != digits.rend() && value != 0; ++place, value /= 8)
            *place = static_cast<char>('0' + value % 8);
        put(at, digits);
    };
    put(0, name);
    octal(100, 8, mode);
    octal(108, 8, 0);
    octal(116, 8, 0);
    octal(124, 12, contents.size());
    octal(136, 12, 1700000000);
    put(148, "        ");
    header[156] = type;
    put(157, link);
    put(257, std::string("ustar\0" "00", 8));
    unsigned long sum = 0;
    for (const char byte : header)
        sum += static_cast<unsigned char>(byte);
    octal(148, 7, sum);
    std::string entry(header.data(), header.size());
    entry += contents;
    entry.append((512 - contents.size() % 512) % 512, '\0');
    return entry;
}

inline std::string end_of_tar()
{
    return std::string(1024, '\0');
}

inline std::string busybox_tar()
{
    std::ifstream file("/bin/busybox", std::ios::binary);
    if (!file)
        return {};
    std::string tar;
    for (const auto* folder : {"bin/", "tmp/", "etc/", "proc/", "sys/", "dev/", "root/", "work/"})
        tar += tar_entry(folder, '5', {}, std::string(folder) == "tmp/" ? 01777 : 0755);
    tar += tar_entry("bin/busybox", '0', std::string(std::istreambuf_iterator<char>(file), {}), 0755);
    for (const auto* applet : {"sh", "echo", "true", "false", "cat", "sleep", "ls", "id", "kill", "head", "yes", "env",
                               "seq", "dd", "tail", "tr", "printf", "stty", "mount", "grep", "ip", "stat", "touch"})
        tar += tar_entry(std::string("bin/") + applet, '2', {}, 0777, "busybox");
    tar += tar_entry("etc/passwd", '0', "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", 0644);
    tar += tar_entry("etc/group", '0', "root:x:0:\nnogroup:x:65534:\n", 0644);
    return tar + end_of_tar();
}

// Keeps everything.
class TextSink final : public engine::OutputSink {
public:
    awaitable<void> write(engine::Stream stream, std::string_view bytes) override
    {
        (stream == engine::Stream::out ? out : err) += bytes;
        co_return;
    }
    std::string out, err;
};

// A loop that runs in real time, for at most two minutes a call.
class RealLoop {
public:
    asio::io_context io;
    asio::thread_pool pool{2};

    template <typename T>
    T run(awaitable<T> task)
    {
        std::optional<T> result;
        auto fill = [](std::optional<T>& into, awaitable<T> inner) -> awaitable<void> {
            into.emplace(co_await std::move(inner));
        };
        run(fill(result, std::move(task)));
        return std::move(*result);
    }

    void run(awaitable<void> task)
    {
        std::exception_ptr failure;
        bool ended = false;
        asio::co_spawn(io, std::move(task), [&](std::exception_ptr thrown) {
            failure = thrown;
            ended = true;
        });
        io.restart();
        const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(2);
        while (!ended && std::chrono::steady_clock::now() < until)
            io.run_one_until(until);
        if (!ended)
            throw std::runtime_error("the test's task did not end within two minutes");
        if (failure)
            std::rethrow_exception(failure);
    }

    ~RealLoop() { pool.join(); }
};

inline const std::string& test_image()
{
    static const std::string k_name = "gantry-test-busybox:1";
    return k_name;
}

// Names what a test makes so that it cannot meet another test's.
inline std::string unique_name(const std::string& what)
{
    return "gantry-test-docker-" + what + "-" + random_hex(4);
}

// The engine of this machine with the tiny image in it, or null with the reason on the terminal.
class RealEngine : public RealLoop {
public:
    RealEngine() : RealEngine(engine::docker_options_from_environment()) {}

    explicit RealEngine(engine::DockerOptions options) : engine(engine::make_docker(pool, std::move(options)))
    {
        try {
            info = run(engine->probe());
        } catch (const std::exception& error) {
            std::cerr << "skipped: " << error.what() << '\n';
            return;
        }
        if (!run(engine->find_image(test_image()))) {
            auto tar = busybox_tar();
            if (tar.empty()) {
                std::cerr << "skipped: /bin/busybox is missing (package busybox-static)\n";
                return;
            }
            run(engine->import_image(test_image(), {{"gantry.test", "1"}}, {"/bin/sh"}, std::move(tar)));
        }
        ready = true;
    }

    // Removes what a test has left behind.
    ~RealEngine()
    {
        if (!ready)
            return;
        try {
            for (const auto& object : run(engine->list({{"gantry.test.run", run_id}})))
                run(engine->remove(object.kind, object.name));
        } catch (const std::exception& error) {
            std::cerr << "clean-up: " << error.what() << '\n';
        }
    }

    engine::Labels labels() const { return {{"gantry.test.run", run_id}}; }

    engine::ContainerSpec shell(const std::string& what, const std::string& script) const
    {
        engine::ContainerSpec spec;
        spec.name = unique_name(what);
        spec.labels = labels();
        spec.image = test_image();
        spec.command = std::vector<std::string>{"/bin/sh", "-c", script};
        spec.security.cap_add = engine::default_capabilities();
        return spec;
    }

    struct Ran {
        std::string out, err;
        engine::ContainerExit exit;
    };

    // The whole life of a container.
    awaitable<Ran> whole_life(engine::ContainerSpec spec)
    {
        engine::Engine::AttachOptions options;
        options.tty = spec.tty;
        options.open_stdin = spec.open_stdin;
        co_await engine->create_container(spec);
        const auto attachment = co_await engine->attach(spec.name, options);
        co_await engine->start_container(spec.name);
        TextSink sink;
        Ran ran;
        co_await both(attachment->read_all(sink), wait_into(spec.name, ran.exit));
        co_await engine->remove(engine::ObjectKind::container, spec.name);
        ran.out = sink.out;
        ran.err = sink.err;
        co_return ran;
    }

    awaitable<void> wait_into(const std::string& name, engine::ContainerExit& into)
    {
        into = co_await engine->wait_container(name);
    }

    std::unique_ptr<engine::Engine> engine;
    engine::EngineInfo info;
    std::string run_id = random_hex(6);
    bool ready = false;
};

#define GANTRY_NEEDS_ENGINE(engine)                                                                                      \
    do {                                                                                                                \
        if (!(engine).ready) {                                                                                          \
            WARN("skipped: no container engine");                                                                       \
            return;                                                                                                     \
        }                                                                                                               \
    } while (false)

} // namespace gantry::test
