#include "engine/docker_support.hpp"
#include "support/engine_conformance.hpp"

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
            DockerBench bench;
            run_case(bench, one);
        }
}
