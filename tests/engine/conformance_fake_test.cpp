#include "engine/fake/fake.hpp"
#include "support/engine_conformance.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <cstdint>
#include <random>

// The fake engine keeps the same contract as the real ones, with and without latency.

using namespace gantry;
using namespace gantry::test;

namespace {

class FakeBench final : public EngineBench {
public:
    explicit FakeBench(std::optional<std::uint32_t> seed) : random_(seed.value_or(0))
    {
        engine_.only_images({image()});
        engine_.on_start(scripted_behaviour);
        engine_.on_exec(scripted_exec);
        engine_.on_build(scripted_build);
        if (seed)
            engine_.on_latency([this](const engine::FakeCall&) { return std::chrono::microseconds(random_() % 5000); });
    }

    engine::Engine& engine() override { return engine_; }
    Clock& clock() override { return clock_; }
    std::string image() const override { return "busybox:1"; }
    void run(awaitable<void> task) override
    {
        RunLimits limits;
        limits.patience = 0ms;
        limits.known = [this] { return engine_.describe(); };
        run_to_end(io_, clock_, std::move(task), limits);
        CHECK(engine_.violations().empty());
        CHECK(engine_.objects().empty());
    }

private:
    asio::io_context io_;
    ManualClock clock_;
    std::minstd_rand random_;
    engine::FakeEngine engine_{io_.get_executor(), clock_};
};

} // namespace

TEST_CASE("the fake engine keeps the contract of engines", "[fake][conformance]")
{
    for (const auto& one : conformance_cases())
        SECTION(one.claim)
        {
            FakeBench bench(std::nullopt);
            run_case(bench, one);
        }
}

TEST_CASE("the fake engine keeps the contract of engines when calls and events take time", "[fake][conformance]")
{
    for (const auto& one : conformance_cases())
        SECTION(one.claim)
        {
            for (std::uint32_t seed = 1; seed <= 5; ++seed) {
                INFO("seed " << seed);
                FakeBench bench(seed);
                run_case(bench, one);
            }
        }
}
