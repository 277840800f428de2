#include "app/view/outcome.hpp"
#include "app/view/rows.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace gantry;
using namespace std::chrono_literals;
using runner::State;

namespace {

runner::StepSummary step(const std::string& name, int attempt = 1)
{
    runner::StepSummary step;
    step.stage = "build";
    step.step = name;
    step.attempt = attempt;
    step.state = State::success;
    step.duration = 5s;
    step.use.emplace();
    step.use->memory_peak_bytes = 412'000'000;
    step.use->cpu = 9400ms;
    step.use->written_bytes = 31'000'000;
    step.use->received_bytes = 20'000;
    return step;
}

const app::Style k_plain{false, true};

} // namespace

TEST_CASE("a step that passed shows what it used, beside its attempt", "[app]")
{
    CHECK(app::note_of(step("a")) == "peak 412 MB, CPU 9.4s, disk 31 MB");
    CHECK(app::note_of(step("a", 2)) == "attempt 2, peak 412 MB, CPU 9.4s, disk 31 MB");
    auto busy = step("a");
    busy.use->sent_bytes = 1'980'000;
    CHECK(app::note_of(busy) == "peak 412 MB, CPU 9.4s, disk 31 MB, network 2.0 MB");
    auto unseen = step("a", 2);
    unseen.use.reset();
    CHECK(app::note_of(unseen) == "attempt 2");
    unseen.use.emplace(); // an engine that counts nothing
    CHECK(app::note_of(unseen) == "attempt 2");
}

TEST_CASE("a step that failed shows why, not what it used", "[app]")
{
    auto failed = step("a");
    failed.state = State::failure;
    failed.cause = runner::Cause::failed;
    failed.exit_code = 2;
    CHECK(app::note_of(failed) == "exit code 2");
}

TEST_CASE("a service that was unhealthy for a while shows it, however it ended", "[app]")
{
    auto service = step("services/db");
    service.lapses = 1;
    CHECK(app::note_of(service) == "peak 412 MB, CPU 9.4s, disk 31 MB, unhealthy once after it was ready");
    service.state = State::failure;
    service.cause = runner::Cause::service_unhealthy;
    service.message = "gone";
    service.lapses = 3;
    CHECK_THAT(app::note_of(service), Catch::Matchers::EndsWith(", unhealthy 3 times after it was ready"));
    service.state = State::running;
    CHECK(app::note_of(service) == "unhealthy 3 times after it was ready");
}

TEST_CASE("what was used is told in words, without what is zero", "[app]")
{
    CHECK(app::use_of(*step("a").use) ==
          "CPU 9.4s · memory up to 412 MB · disk 0 B read, 31 MB written · network 20 kB in, 0 B out");
    CHECK(app::use_of({}).empty());
}

TEST_CASE("a run that is looked at has a line for all that each step and service used", "[app]")
{
    runner::StageSummary stage;
    stage.stage = "build";
    stage.state = State::success;
    stage.duration = 6s;
    stage.steps = {step("compile")};
    stage.services = {step("services/db"), runner::StepSummary{}};
    stage.steps[0].use = engine::ResourceUse{};
    stage.steps[0].use->cpu = 2s;

    for (int port = 3000; port < 3010; ++port)
        stage.services[0].outputs[std::to_string(port) + "/tcp"] = std::to_string(port + 30000);

    const auto brief = app::stage_rows(k_plain, stage, 80);
    CHECK(std::count(brief.begin(), brief.end(), '\n') == 3);
    CHECK(brief.find("services/db  peak 412 MB, CPU 9.4s, disk 31 MB") != std::string::npos);
    const auto full = app::stage_rows(k_plain, stage, 80, app::Use::all);
    CHECK(std::count(full.begin(), full.end(), '\n') == 9);
    for (int port = 3000; port < 3010; ++port)
        CHECK(full.find(std::to_string(port) + "/tcp at port " + std::to_string(port + 30000)) != std::string::npos);
    CHECK(full.find("\n      3003/tcp at port 33003, 3004/tcp at port 33004, 3005/tcp at port 33005\n") != std::string::npos);
    CHECK(full.find("peak") == std::string::npos);
    CHECK(full.find("\n      CPU 2.0s\n") != std::string::npos);
    CHECK(full.find("\n      CPU 9.4s · memory up to 412 MB · ") != std::string::npos);
}
