#include "engine/docker/use_meter.hpp"
#include "engine/docker_scripted_daemon.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using docker::Json;
using docker::UseMeter;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

constexpr const char* k_cgroup_v1 = R"({
    "read": "2026-01-02T03:04:05Z", "pids_stats": {"current": 3},
    "blkio_stats": {"io_service_bytes_recursive": [
        {"major": 8, "minor": 0, "op": "Read", "value": 1000}, {"major": 8, "minor": 0, "op": "Write", "value": 500},
        {"major": 8, "minor": 16, "op": "Read", "value": 24}, {"major": 8, "minor": 0, "op": "Sync", "value": 7},
        {"major": 8, "minor": 0, "op": "Total", "value": 1500}]},
    "cpu_stats": {"cpu_usage": {"total_usage": 2500000000, "percpu_usage": [2000000000, 500000000]}},
    "memory_stats": {"usage": 60000000, "max_usage": 110000000, "limit": 209715200,
        "stats": {"inactive_file": 5, "total_inactive_file": 20000000}},
    "networks": {"eth0": {"rx_bytes": 100, "tx_bytes": 10}, "eth1": {"rx_bytes": 1, "tx_bytes": 2}}})";

constexpr const char* k_cgroup_v2 = R"({
    "pids_stats": {"current": 1, "limit": 18446744073709551615},
    "blkio_stats": {"io_service_bytes_recursive": [{"major": 8, "minor": 0, "op": "read", "value": 4096},
                                                   {"major": 8, "minor": 0, "op": "write", "value": 8192}]},
    "cpu_stats": {"cpu_usage": {"total_usage": 40000000}},
    "memory_stats": {"usage": 9000000, "limit": 18446744073709551615, "stats": {"inactive_file": 1000000}}})";

constexpr const char* k_ended = R"({"read": "0001-01-01T00:00:00Z", "pids_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}},
    "blkio_stats": {"io_service_bytes_recursive": null}, "memory_stats": {}})";

ResourceUse use_of(const std::string& message)
{
    UseMeter meter;
    const auto use = meter.add(Json::parse(message));
    REQUIRE(use.has_value());
    return *use;
}

Json memory(std::uint64_t usage, std::uint64_t idle, std::uint64_t most)
{
    return {{"memory_stats", {{"usage", usage}, {"max_usage", most}, {"stats", {{"total_inactive_file", idle}}}}}};
}

std::string compact(const char* message)
{
    return Json::parse(message).dump() + "\n";
}

struct Stats : ScriptedEngine {
    explicit Stats(Says answer) : ScriptedEngine([answer](const Asked&) { return answer; }) {}

    std::vector<ResourceUse> watch()
    {
        std::vector<ResourceUse> seen;
        loop.run(engine->watch_use("one", [&seen](const ResourceUse& use) { seen.push_back(use); }));
        return seen;
    }
};

} // namespace

TEST_CASE("what a container uses is read from the numbers of cgroups v1", "[engine]")
{
    const auto use = use_of(k_cgroup_v1);

    CHECK(use.memory_bytes == 40'000'000);
    CHECK(use.memory_peak_bytes == 90'000'000);
    CHECK(use.memory_limit_bytes == 209'715'200);
    CHECK(use.cpu == std::chrono::milliseconds(2500));
    CHECK(use.processes == 3);
    CHECK(use.read_bytes == 1024);
    CHECK(use.written_bytes == 500);
    CHECK(use.received_bytes == 101);
    CHECK(use.sent_bytes == 12);
}

TEST_CASE("what a container uses is read from the numbers of cgroups v2, which have no peak", "[engine]")
{
    const auto use = use_of(k_cgroup_v2);

    CHECK(use.memory_bytes == 8'000'000);
    CHECK(use.memory_peak_bytes == 8'000'000);
    CHECK(use.memory_limit_bytes == 0);
    CHECK(use.cpu == std::chrono::milliseconds(40));
    CHECK(use.read_bytes == 4096);
    CHECK(use.written_bytes == 8192);
    CHECK(use.received_bytes == 0);
}

TEST_CASE("without a peak of the kernel the highest that was seen stays", "[engine]")
{
    UseMeter meter;
    meter.add(memory(100, 0, 0));
    meter.add(memory(900, 100, 0));
    CHECK(meter.add(memory(50, 0, 0))->memory_peak_bytes == 800);
}

TEST_CASE("pages of files that were read or written once do not make a peak, even when they are gone", "[engine]")
{
    UseMeter meter;
    CHECK(meter.add(memory(2100, 2000, 2100))->memory_peak_bytes == 100);
    CHECK(meter.add(memory(150, 0, 2100))->memory_peak_bytes == 150);
}

TEST_CASE("a container that has ended uses nothing that could be told", "[engine]")
{
    UseMeter meter;
    CHECK_FALSE(meter.add(Json::parse(k_ended)).has_value());
    CHECK_FALSE(meter.add(Json::array({1, 2})).has_value());
    CHECK_FALSE(meter.add(Json()).has_value());
}

TEST_CASE("a kernel that counts no memory still tells the time", "[engine]")
{
    const auto use = use_of(R"({"memory_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 7}}})");
    CHECK(use.cpu.count() == 7);
    CHECK(use.memory_peak_bytes == 0);
}

TEST_CASE("numbers of another type or sign count as none", "[engine]")
{
    const auto use = use_of(R"({"memory_stats": {"usage": 5, "limit": -1, "max_usage": "many", "stats": [1]},
        "networks": [3], "blkio_stats": {"io_service_bytes_recursive": {"op": "Read"}}, "pids_stats": 4})");
    CHECK(use == use_of(R"({"memory_stats": {"usage": 5}})"));
}

TEST_CASE("a stream of statistics ends when its container has, although the engine keeps it open", "[engine]")
{
    const auto body = compact(k_cgroup_v1) + compact(k_ended) + compact(k_cgroup_v1);
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    Stats stats(Says{head + body});
    const auto seen = stats.watch();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0] == use_of(k_cgroup_v1));
    CHECK(stats.daemon.count("GET /v1.41/containers/one/stats?stream=1") == 1);
}

TEST_CASE("a container that does not run has no statistics, whatever the engine calls that", "[engine]")
{
    Stats stats(ScriptedDaemon::json(409, R"({"message":"container is stopped"})"));
    CHECK(stats.watch().empty());
}

TEST_CASE("statistics of a container that is not there, that break off or that are endless are errors", "[engine]")
{
    const auto code_of = [](Says says) {
        Stats stats(std::move(says));
        try {
            stats.watch();
        } catch (const Error& error) {
            return error.code();
        }
        return Errc::cancelled;
    };
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n";
    CHECK(code_of(ScriptedDaemon::json(404, R"({"message":"No such container: one"})")) == Errc::not_found);
    CHECK(code_of(Says{head + compact(k_cgroup_v1), true}) == Errc::unavailable);
    CHECK(code_of(Says{head + "{\"read\": \"" + std::string(2'000'000, 'x')}) == Errc::internal);
    CHECK(code_of(Says{head + "no JSON\n"}) == Errc::internal);
}
