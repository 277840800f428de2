#include "engine/docker_support.hpp"
#include "support/engine_conformance.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>

// The Docker back-end keeps the same contract as the fake one, where a daemon answers.

using namespace gantry;
using namespace gantry::test;

namespace {

class DockerBench final : public EngineBench {
public:
    engine::Engine& engine() override { return *real_.engine; }
    Clock& clock() override { return system_clock(); }
    std::string image() const override { return test_image(); }
    void run(awaitable<void> task) override { real_.run(std::move(task)); }

private:
    RealEngine real_;
};

// Says why not, once.
bool engine_answers()
{
    static const bool k_answers = RealEngine().ready;
    return k_answers;
}

engine::EngineInfo engine_under_test()
{
    RealEngine real;
    engine::EngineInfo info;
    const auto probe = [](engine::Engine& engine, engine::EngineInfo& into) -> awaitable<void> {
        into = co_await engine.probe();
    };
    real.run(probe(*real.engine, info));
    return info;
}

// What an engine cannot keep, and why; docs/troubleshooting.md tells it to users.
struct Gap {
    std::string_view claim, why;
    bool (*is_here)(const engine::EngineInfo& info);
};

bool is_podman_before_5(const engine::EngineInfo& info)
{
    return info.name == "podman" && std::atoi(info.version.c_str()) < 5;
}

bool is_podman_without_systemd(const engine::EngineInfo& info)
{
    return info.name == "podman" && !std::filesystem::exists("/run/systemd/system");
}

constexpr std::array k_gaps = {
    Gap{"a container that was killed for its memory says so", "Podman tells it from 5.0 on", is_podman_before_5},
    Gap{"the health of a container is told by inspect and by an event", "Podman looks after it by timers of systemd, which does not run",
        is_podman_without_systemd},
};

// Nothing: the claim has to hold.
std::string why_not(const std::string& claim)
{
    static const auto k_info = engine_under_test();
    for (const auto& gap : k_gaps)
        if (gap.claim == claim && gap.is_here(k_info))
            return std::string(gap.why);
    return {};
}

} // namespace

TEST_CASE("the docker engine keeps the contract of engines", "[docker][conformance]")
{
    if (!engine_answers()) {
        WARN("skipped: no container engine");
        return;
    }
    for (const auto& one : conformance_cases())
        SECTION(one.claim)
        {
            if (const auto why = why_not(one.claim); !why.empty()) {
                WARN("skipped: " << one.claim << ": " << why);
                continue;
            }
            DockerBench bench;
            run_case(bench, one);
        }
}
