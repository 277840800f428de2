#include "support/engine_conformance.hpp"

// What containers use.

namespace gantry::test {

using namespace engine;

namespace {

struct Watch {
    std::vector<ResourceUse> seen;
    bool returned = false;
};

awaitable<void> watch(EngineBench& bench, std::string container, Watch& into)
{
    std::function<void(const ResourceUse&)> note = [&into](const ResourceUse& use) { into.seen.push_back(use); };
    co_await bench.engine().watch_use(container, note);
    into.returned = true;
}

awaitable<void> until_the_end(EngineBench& bench)
{
    const auto spec = bench.shell("busy", scripts::k_endless);
    Watch watched;
    co_await while_listening(bench, spec, [&](Listening& listening) -> awaitable<void> {
        std::function<awaitable<void>()> beside = [&] { return watch(bench, spec.name, watched); };
        listening.beside(beside);
        co_await until(bench, "it is told twice", [&] { return watched.seen.size() >= 2; });
        CHECK_FALSE(watched.returned);
        co_await bench.engine().kill_container(spec.name, "KILL");
        co_await listening.end(); // also of the watching
    });
    CHECK(watched.returned);
    const auto& use = watched.seen.front();
    CHECK(use.memory_bytes > 0);
    CHECK(use.memory_peak_bytes >= use.memory_bytes);
    CHECK(use.cpu.count() > 0);
    CHECK(watched.seen.back().memory_peak_bytes >= use.memory_peak_bytes);
    co_await bench.engine().remove(ObjectKind::container, spec.name);
}

awaitable<void> cancelled(EngineBench& bench)
{
    const auto spec = bench.shell("goes-on", scripts::k_endless);
    Watch watched;
    co_await while_listening(bench, spec, [&](Listening&) -> awaitable<void> {
        auto told = until(bench, "it is told", [&] { return !watched.seen.empty(); });
        auto endless = watch(bench, spec.name, watched);
        co_await first_of(std::move(told), std::move(endless));
    });
    CHECK_FALSE(watched.returned);
    const auto status = co_await bench.engine().inspect_container(spec.name);
    CHECK(status.state == ContainerState::running);
    co_await bench.engine().remove(ObjectKind::container, spec.name);
}

awaitable<void> not_running(EngineBench& bench)
{
    const auto spec = bench.shell("still", scripts::k_nothing);
    Watch before, after, missing;
    co_await bench.engine().create_container(spec);
    co_await watch(bench, spec.name, before);
    CHECK(before.returned);
    CHECK(before.seen.empty());
    co_await bench.engine().start_container(spec.name);
    co_await bench.engine().wait_container(spec.name);
    co_await watch(bench, spec.name, after);
    CHECK(after.returned);
    CHECK(after.seen.empty());
    co_await bench.engine().remove(ObjectKind::container, spec.name);
    const auto why = co_await failure_of(watch(bench, spec.name, missing));
    CHECK(why == "not_found");
}

} // namespace

std::vector<ConformanceCase> use_cases()
{
    return {
        {"what a container uses is told again and again until it ends", until_the_end},
        {"a watch that is cancelled leaves the container alone", cancelled},
        {"a container that does not run uses nothing", not_running},
    };
}

} // namespace gantry::test
