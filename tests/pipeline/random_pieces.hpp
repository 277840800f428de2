#pragma once

#include "pipeline/definition.hpp"

#include <algorithm>
#include <random>
#include <set>

// Pieces of random definitions: texts, containers.

namespace gantry::pipeline {

class RandomPieces {
public:
    explicit RandomPieces(std::uint32_t seed) : random_(seed) {}

    int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint32_t>(limit)); }
    bool chance(int percent) { return below(100) < percent; }
    template <class List> auto pick(const List& list) { return *(std::begin(list) + below(static_cast<int>(std::size(list)))); }

    std::string word()
    {
        static const char* const words[] = {"a",  "build", "x-1", "true", "yes", "on", "null", "~", "1.10", "0x1F", "12:30", "3", "1e3", "café",
                                            "日本", "a b",   "a: b", "-",    "#",   "@x", "<<",   "y", "30m",  "a,b",  "{}",   "[a]", "*a", "&b", "!c",
                                            "|",  ">",     "%d",  "'",    "\"",  "\\", "a#b", "a #b", "=",    ":",    "a:",   "?", "- a", ".5", "_x", "/p"};
        return pick(words);
    }

    // No blanks, no '=': the name of a variable.
    std::string variable()
    {
        static const char* const names[] = {"A", "PATH", "b", "x.y", "NO", "on", "1", "ünï", "<<", "a:b", "\"q\"", "null", "true", "C_3", "Z-9", "{x}", "#h"};
        return pick(names);
    }

    std::string text() // any, also of several lines
    {
        static const char* const pieces[] = {"a",
                                             " ",
                                             "\n",
                                             "\t",
                                             "  b",
                                             "\n\n",
                                             "$X",
                                             "${Y}",
                                             "$",
                                             " {{",
                                             "}}",
                                             "é",
                                             ": ",
                                             " #",
                                             "\"",
                                             "'",
                                             "\\",
                                             "\x1b",
                                             "%",
                                             "-",
                                             "make test",
                                             "\n  indented",
                                             "\n \n",
                                             "\r",
                                             "echo \"$X\" > 'y'",
                                             ","};
        std::string text;
        for (int i = below(7); i > 0; --i)
            text += pick(pieces);
        return text;
    }

    Text expressions()
    {
        static const char* const sources[] = {"branch", "matrix.go == '}'", "a && (b || !c)", "steps.x.outputs[\"a b\"]", "format('{0}', \"}\")"};
        std::vector<Text::Part> parts;
        for (int i = below(4); i > 0; --i) {
            const bool is_expression = chance(50);
            parts.push_back({is_expression, is_expression ? std::string(pick(sources)) : text(), {}});
        }
        return Text(std::move(parts));
    }
    Text filled()
    {
        Text made = expressions();
        return made.empty() ? Text(word()) : made;
    }
    Text condition() { return Text(std::vector<Text::Part>{{true, chance(50) ? "event == 'push'" : "always()", {}}}); }

    template <class Make> auto list(Make make, int most = 3)
    {
        std::vector<decltype(make())> items;
        for (int i = below(most + 1); i > 0; --i)
            items.push_back(make());
        return items;
    }
    std::vector<std::string> words() { return list([&] { return word(); }); }

    template <class Name, class Make> auto pairs(Name name, Make make, int most = 3)
    {
        std::vector<std::pair<std::string, decltype(make())>> items;
        std::set<std::string> names;
        for (int i = below(most + 1); i > 0; --i)
            if (auto key = name(); names.insert(key).second)
                items.emplace_back(std::move(key), make());
        return items;
    }
    EnvMap variables()
    {
        return pairs([&] { return variable(); }, [&] { return expressions(); });
    }
    std::map<std::string, std::string> options()
    {
        const auto items = pairs([&] { return variable(); }, [&] { return text(); });
        return {items.begin(), items.end()};
    }

    Duration duration()
    {
        using namespace std::chrono_literals;
        static const Duration durations[] = {0s, 1s, 90s, 500ms, 30h, 24h, 1500us, 7ns, 3601s, 90061001ms};
        return pick(durations);
    }
    Duration time_limit() { return std::max(duration(), Duration(1)); }
    static std::vector<std::string> hosts() { return {"a:10.0.0.1", "b:::1", "c:host-gateway"}; }
    Text image() { return chance(30) ? Text(std::vector<Text::Part>{{false, "gcc:", {}}, {true, "matrix.go", {}}}) : Text(pick(k_images)); }
    std::uint64_t size() { return (1ull + static_cast<std::uint64_t>(below(5000))) << (5 * below(7)); }

    Container container(bool is_own, bool is_stage);

private:
    static constexpr const char* k_images[] = {"a", "gcc:13", "localhost:5000/a/b-c__d:1.10", "x.example/a:V_1", "0x1f", "1.10", "3"};

    PortMapping port()
    {
        static const PortMapping ports[] = {{"", "", "80", "tcp", {}},
                                            {"127.0.0.1", "8080", "80", "udp", {}},
                                            {"::1", "1-3", "4-6", "sctp", {}},
                                            {"", "8000-8010", "80", "tcp", {}}};
        return pick(ports);
    }
    VolumeMount volume()
    {
        VolumeMount mount;
        mount.type = static_cast<VolumeMount::Type>(below(3));
        mount.target = filled();
        if (mount.type == VolumeMount::Type::bind || (mount.type == VolumeMount::Type::volume && chance(50)))
            mount.source = filled();
        mount.read_only = chance(30);
        mount.nocopy = chance(20);
        mount.subpath = chance(20) ? word() : "";
        if (mount.type == VolumeMount::Type::bind) {
            mount.propagation = chance(20) ? "rshared" : "";
            mount.create_host_path = chance(20);
        }
        if (chance(20))
            mount.tmpfs_size_bytes = size();
        if (chance(20))
            mount.tmpfs_mode = 01777;
        return mount;
    }
    Healthcheck healthcheck()
    {
        static const std::vector<std::string> tests[] = {{}, {"NONE"}, {"CMD", "a", "1"}, {"CMD-SHELL", "true"}};
        Healthcheck check;
        check.test = pick(tests);
        for (auto* time : {&check.interval, &check.timeout, &check.start_period, &check.start_interval})
            if (chance(40))
                *time = duration();
        if (chance(40))
            check.retries = below(100);
        check.disable = chance(20);
        return check;
    }

    std::mt19937 random_;
};

inline Container RandomPieces::container(bool is_own, bool is_stage)
{
    Container made;
    // Fills a key now and then; a value that stays empty counts as absent.
    const auto key = [&](const char* name, auto& member, auto make) {
        using Member = std::remove_reference_t<decltype(member)>;
        if (!chance(12))
            return;
        member = make();
        if (!(member == Member{}))
            made.marks.emplace(name, Mark{});
    };
    const auto capabilities = [&] { return std::vector<std::string>{"NET_RAW", "cap_sys_time"}; };
    const auto word_list = [&] { return words(); };
    const auto a_word = [&] { return word(); };
    const auto flag = [&] { return chance(50); };
    const auto a_text = [&] { return expressions(); };
    const auto command = [&] { return list([&] { return expressions(); }); };
    const auto rates = [&] { return list([&] { return DeviceRate{word(), size()}; }); };
    static const char* const policies[] = {"always", "missing", "if_not_present", "never"};
    static const char* const users[] = {"root", "1000:1000", "3", ":0", "null", "a b", "café:\\"};
    static const char* const network_modes[] = {"none", "host", "bridge", "default", "service:a b"};
    static const char* const devices[] = {"/dev/a", "/dev/a:rw", "/dev/a b:/dev/#", "/dev/null:/dev/x:m"};
    static const char* const signals[] = {"SIGTERM", "int", "9", "SIGRTMIN+3"};
    static const char* const platforms[] = {"linux", "linux/amd64", "Linux/arm/v7", "arm64"};

    key("image", made.image, [&] { return image(); });
    key("pull_policy", made.pull_policy, [&] { return std::string(pick(policies)); });
    key("entrypoint", made.entrypoint, command);
    key("environment", made.environment, [&] { return variables(); });
    key("env_file", made.env_file, [&] { return list([&] { return EnvFileEntry{word(), chance(70), chance(30), {}}; }); });
    key("user", made.user, [&] { return Text(pick(users)); });
    key("working_dir", made.working_dir, a_text);
    key("extra_hosts", made.extra_hosts, [] { return hosts(); });
    key("dns", made.dns, [] { return std::vector<std::string>{"10.0.0.1", "fd00::1"}; });
    key("dns_search", made.dns_search, word_list);
    key("dns_opt", made.dns_opt, word_list);
    key("networks", made.networks, [&] {
        return std::vector<NetworkAttachment>{{"default", words(), "", "", {}},
                                              {word() + "n", {}, "10.0.0.2", "fd00::2", {}}};
    });
    key("network_mode", made.network_mode, [&] { return std::string(pick(network_modes)); });
    key("volumes", made.volumes, [&] { return list([&] { return volume(); }); });
    key("volumes_from", made.volumes_from, [&] { return std::vector<std::string>{chance(50) ? "db" : "a b", "~:ro"}; });
    key("tmpfs", made.tmpfs, [&] { return std::vector<std::string>{"/p", "/a b:size=1m,mode=1777,ro"}; });
    key("shm_size", made.shm_size_bytes, [&] { return size(); });
    key("read_only", made.read_only, flag);
    key("init", made.init, flag);
    key("privileged", made.privileged, flag);
    key("cap_add", made.cap_add, capabilities);
    key("cap_drop", made.cap_drop, capabilities);
    key("security_opt", made.security_opt, word_list);
    key("ulimits", made.ulimits, [&] { return std::map<std::string, Ulimit>{{"NoFile", {5, 5}}, {"as", {below(9), 9}}, {"core", {-1, -1}}}; });
    key("devices", made.devices, [&] { return list([&] { return std::string(pick(devices)); }); });
    key("device_read_iops", made.device_read_iops, rates);
    key("device_write_iops", made.device_write_iops, rates);
    key("cpu_shares", made.cpu_shares, [&] { return 2 + below(2000); });
    key("cpus", made.cpus, [&] { return (1 + below(900)) / 100.0; });
    key("mem_limit", made.memory_bytes, [&] { return size() + (6 << 20); });
    key("pids_limit", made.pids_limit, [&] { return below(100) - 1; });
    key("oom_kill_disable", made.oom_kill_disable, flag);
    key("oom_score_adj", made.oom_score_adj, [&] { return below(2001) - 1000; });
    key("logging", made.logging, [&] { return Logging{word(), options()}; });
    key("stop_signal", made.stop_signal, [&] { return std::string(pick(signals)); });
    key("stop_grace_period", made.stop_grace_period, [&] { return duration(); });
    key("labels", made.labels, [&] { return options(); });
    key("platform", made.platform, [&] { return std::string(pick(platforms)); });
    key("sysctls", made.sysctls, [&] { return std::map<std::string, std::string>{{"kernel.shmmax", text()}, {"net/ipv4/conf/eth0.1/mtu", text()}}; });
    key("runtime", made.runtime, a_word);
    if (is_own || is_stage)
        key("command", made.command, command);
    if (is_own) {
        key("hostname", made.hostname, [] { return Text("box_1.example"); });
        key("links", made.links, [] { return std::vector<Link>{{"db", "database", {}}, {"cache", "cache", {}}}; });
        key("ports", made.ports, [&] { return list([&] { return port(); }); });
        key("healthcheck", made.healthcheck, [&] { return healthcheck(); });
        key("depends_on", made.depends_on, [&] {
            return std::vector<Dependency>{{word(), static_cast<Condition>(below(3)), true, {}}, {"other", Condition::service_started, chance(50), {}}};
        });
    }
    return made;
}

} // namespace gantry::pipeline
