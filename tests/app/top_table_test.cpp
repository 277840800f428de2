#include "app/view/top_table.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace gantry;
using namespace std::chrono_literals;
using app::UseTrack;
using runner::RunEvent;
using Kind = RunEvent::Kind;

namespace {

const auto k_begin = std::chrono::system_clock::time_point(1000s);

RunEvent event(Kind kind, const std::string& stage, const std::string& step, int attempt = 1)
{
    RunEvent event;
    event.kind = kind;
    event.stage = stage;
    event.step = step;
    event.attempt = attempt;
    event.time = k_begin;
    return event;
}

std::vector<std::string> names_of(const std::vector<app::RunningStep>& steps)
{
    std::vector<std::string> names;
    for (const auto& step : steps)
        names.push_back(step.key.stage + "/" + step.key.step + "#" + std::to_string(step.key.attempt));
    return names;
}

engine::ResourceUse use(std::chrono::nanoseconds cpu)
{
    engine::ResourceUse use;
    use.cpu = cpu;
    use.memory_bytes = 412'000'000;
    use.memory_limit_bytes = 1'100'000'000;
    use.read_bytes = 12'000'000;
    return use;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("what runs is what has begun and not ended, in its last attempt", "[app]")
{
    std::vector<RunEvent> events = {
        event(Kind::service_started, "test", "services/db"), event(Kind::step_started, "test", "one"),
        event(Kind::step_started, "test", "two"),            event(Kind::step_finished, "test", "one"),
        event(Kind::step_retry, "test", "two"),              event(Kind::step_started, "other", "one"),
    };
    CHECK(names_of(app::running_steps("1", events)) == Names{"test/services/db#1", "other/one#1"});
    events.push_back(event(Kind::step_started, "test", "two", 2));
    CHECK(names_of(app::running_steps("1", events)) == Names{"test/services/db#1", "other/one#1", "test/two#2"});
    events.push_back(event(Kind::service_finished, "test", "services/db"));
    CHECK(names_of(app::running_steps("1", events)) == Names{"other/one#1", "test/two#2"});
    auto resumed = events;
    resumed.push_back(event(Kind::resumed, "", ""));
    CHECK(app::running_steps("1", resumed).empty());
    events.push_back(event(Kind::run_finished, "", ""));
    CHECK(app::running_steps("1", events).empty());
}

TEST_CASE("percent of a processor are counted between two words", "[app]")
{
    UseTrack track;
    const UseTrack::Time begin{};
    CHECK(track.is_waiting());
    track.add(use(1s), begin);
    CHECK_FALSE(track.cpu_percent().has_value());
    CHECK(track.is_waiting());
    track.add(use(4s), begin + 2s);
    REQUIRE(track.cpu_percent().has_value());
    CHECK(*track.cpu_percent() == 150.0);
    CHECK_FALSE(track.is_waiting());
    track.add(use(0s), begin + 3s); // never less than nothing
    CHECK(*track.cpu_percent() == 150.0);

    UseTrack silent;
    silent.end();
    CHECK_FALSE(silent.is_waiting());
}

TEST_CASE("the table and the array of what runs tell the same, and a dash or nothing for what is not known", "[app]")
{
    app::TopRow known{{"17", {"build", "compile", 2}, k_begin}, {}};
    known.use.add(use(1s), UseTrack::Time{});
    known.use.add(use(2s), UseTrack::Time{} + 1s);
    const app::TopRow silent{{"17", {"image", "app\x1b[2J", 1}, k_begin}, {}};

    CHECK(app::top_table({known, silent}, k_begin + 4s) ==
          "RUN  STEP            CPU   MEMORY / LIMIT   DISK R / W   NETWORK I / O  TIME\n"
          "17   build/compile   100%  412 MB / 1.1 GB  12 MB / 0 B  -              4.0s\n"
          "17   image/app^[[2J  -     -                -            -              4.0s\n");
    const auto json = nlohmann::json::parse(app::top_json({known, silent}, k_begin + 4s));
    REQUIRE(json.size() == 2);
    CHECK(json[0]["cpu_percent"] == 100.0);
    CHECK(json[0]["attempt"] == 2);
    CHECK(json[0]["duration_ns"] == 4'000'000'000);
    CHECK(json[0]["use"]["memory_bytes"] == 412'000'000);
    CHECK_FALSE(json[0]["use"].contains("written_bytes"));
    CHECK_FALSE(json[1].contains("use"));
    CHECK_FALSE(json[1].contains("cpu_percent"));
}
