#include "base/error.hpp"
#include "runner/report.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <random>
#include <set>
#include <string>

using namespace gantry;
using namespace gantry::runner;

namespace {

template <typename T, typename Parse>
void check_names(T first, T last, Parse parse)
{
    std::set<std::string> names;
    for (int i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
        const auto name = std::string(to_string(static_cast<T>(i)));
        CHECK(names.insert(name).second);
        CHECK(parse(name) == static_cast<T>(i));
    }
    CHECK(!parse("unknown"));
    CHECK(!parse(""));
}

class RandomEvents {
public:
    explicit RandomEvents(unsigned seed) : random_(seed) {}

    RunEvent next()
    {
        RunEvent event;
        event.kind = static_cast<RunEvent::Kind>(below(14));
        event.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'000 + below(1000)));
        event.stage = text();
        event.step = text();
        event.attempt = below(4);
        event.state = static_cast<State>(below(9));
        event.cause = static_cast<Cause>(below(14));
        if (below(2))
            event.exit_code = below(256);
        if (below(2))
            event.signal = below(65);
        event.duration = std::chrono::nanoseconds(below(1'000'000'000));
        event.timings = {std::chrono::nanoseconds(below(9)), std::chrono::nanoseconds(below(9)),
                         std::chrono::nanoseconds(below(9)), std::chrono::nanoseconds(below(9))};
        event.message = text();
        event.hint = text();
        event.image = text();
        event.object_kind = text();
        event.object = text();
        event.allowed_failure = below(2);
        for (int i = below(3); i > 0; --i)
            event.outputs[text() + "k"] = text();
        event.log_bytes = below(2) ? std::uint64_t(1) << 40 : 0;
        return event;
    }

private:
    int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
    std::string text()
    {
        static const std::vector<std::string> texts = {"", "unit", "a\"b\\c", "line\nline", "grün", std::string("\0x", 2)};
        return texts[static_cast<std::size_t>(below(static_cast<int>(texts.size())))];
    }

    std::mt19937 random_;
};

bool same(const RunEvent& a, const RunEvent& b)
{
    const auto timings = [](const Timings& t) { return std::tuple(t.pull, t.start, t.command, t.finish); };
    const auto all = [&](const RunEvent& e) {
        return std::tuple(e.kind, e.time, e.stage, e.step, e.attempt, e.state, e.cause, e.exit_code, e.signal, e.duration,
                          timings(e.timings), e.message, e.hint, e.image, e.object_kind, e.object, e.allowed_failure,
                          e.outputs, e.log_bytes);
    };
    return all(a) == all(b);
}

} // namespace

TEST_CASE("every state, cause and kind of event has a name of its own that reads back", "[runner]")
{
    check_names(State::pending, State::error, parse_state);
    check_names(Cause::ok, Cause::internal, parse_cause);
    for (int i = 0; i <= static_cast<int>(RunEvent::Kind::resumed); ++i)
        CHECK(to_string(static_cast<RunEvent::Kind>(i)) != "unknown");
}

TEST_CASE("only what a step did itself is a failure", "[runner]")
{
    CHECK(state_of(Cause::ok) == State::success);
    for (const auto cause : {Cause::failed, Cause::killed_by_signal, Cause::oom})
        CHECK(state_of(cause) == State::failure);
    CHECK(state_of(Cause::timeout) == State::timed_out);
    CHECK(state_of(Cause::cancelled) == State::cancelled);
    for (const auto cause : {Cause::service_unhealthy, Cause::image_error, Cause::checkout_error, Cause::config_error,
                             Cause::engine_lost, Cause::agent_lost, Cause::disk_full, Cause::internal})
        CHECK(state_of(cause) == State::error);
}

TEST_CASE("an event reads back from its JSON as it was", "[runner]")
{
    RandomEvents events(20240501);
    for (int i = 0; i < 500; ++i) {
        const auto event = events.next();
        const auto line = to_json(event).dump();
        INFO(line);
        CHECK(same(event_from_json(nlohmann::json::parse(line)), event));
    }
}

TEST_CASE("an event without anything is short", "[runner]")
{
    RunEvent event;
    event.kind = RunEvent::Kind::stage_started;
    event.stage = "build";
    event.state = State::running;
    CHECK(to_json(event).dump() ==
          R"({"event":"stage_started","stage":"build","state":"running","time":"1970-01-01T00:00:00.000Z"})");
}

TEST_CASE("fields of a later version are ignored, unknown kinds are not", "[runner]")
{
    const auto read = [](const char* text) { return event_from_json(nlohmann::json::parse(text)); };
    CHECK(read(R"({"event":"warning","message":"hm","colour":"red"})").message == "hm");
    CHECK_THROWS_WITH(read(R"({"event":"teleported"})"), "event: field 'event': 'teleported' is not known here");
    CHECK_THROWS_WITH(read(R"({"event":"warning","state":"maybe"})"), "event: field 'state': 'maybe' is not known here");
    CHECK_THROWS_WITH(read(R"({"event":"warning","attempt":"1"})"), "event: field 'attempt': not a whole number");
    CHECK_THROWS_WITH(read(R"({"event":"warning","time":"yesterday"})"), "event: field 'time': not an RFC 3339 time");
    CHECK_THROWS_WITH(read("[]"), "event: not an object");
}

TEST_CASE("text that is no UTF-8 cannot break the journal", "[runner]")
{
    RunEvent event;
    event.message = "bad \xff byte";
    event.outputs["k"] = "\xc3";
    CHECK_NOTHROW(to_json(event).dump());
    CHECK(to_json(event)["message"] == "bad \\xff byte");
}
