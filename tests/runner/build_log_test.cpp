#include "runner/build_log.hpp"
#include "support/catch.hpp"

using namespace gantry;
using engine::BuildEvent;

namespace {

BuildEvent step_event(int number, int of, const std::string& text)
{
    BuildEvent event;
    event.kind = BuildEvent::Kind::step;
    event.step = number;
    event.steps = of;
    event.text = text;
    return event;
}

BuildEvent output(const std::string& text)
{
    BuildEvent event;
    event.text = text;
    return event;
}

} // namespace

TEST_CASE("a build reads as its steps with line, time and whether they were there already", "[build_log]")
{
    runner::BuildLog log("api/Dockerfile", {2, 4, 7, 9}, 1); // the last line is of a stage that is not built
    const Clock::time_point begin{};
    BuildEvent cached;
    cached.kind = BuildEvent::Kind::cached;

    CHECK(log.last_place().empty());
    std::string text = log.on(step_event(1, 4, "FROM busybox"), begin);
    CHECK(log.last_place() == "api/Dockerfile:2: FROM busybox");
    text += log.on(step_event(2, 4, "COPY . /src"), begin + 5ms);
    text += log.on(cached, begin + 6ms);
    text += log.on(step_event(3, 4, "RUN make"), begin + 6ms);
    CHECK(log.on(output("no line end"), begin + 1s).empty());
    text += "no line end" + log.on(step_event(4, 4, "LABEL gantry.run=1"), begin + 2006ms);
    text += log.end(begin + 2007ms);

    CHECK(text == "[1/4] api/Dockerfile:2 FROM busybox\n"
                  "[1/4] 5ms\n"
                  "[2/4] api/Dockerfile:4 COPY . /src\n"
                  "[2/4] cached\n"
                  "[3/4] api/Dockerfile:7 RUN make\n"
                  "no line end\n"
                  "[3/4] 2.0s\n"
                  "[4/4] LABEL gantry.run=1\n"
                  "[4/4] 1ms\n");
    CHECK(log.last_place().empty()); // a label of gantry's
    CHECK(log.place(3) == "api/Dockerfile:7: RUN make");
    CHECK(log.place(4) == "api/Dockerfile: LABEL gantry.run=1");
    CHECK(log.place(0) == "api/Dockerfile");
    CHECK(log.place(9) == "api/Dockerfile");
}

TEST_CASE("an instruction is shown on one line, without what drives a terminal", "[build_log]")
{
    runner::BuildLog log("Dockerfile", {}, 0);
    const auto line = log.on(step_event(1, 1, "RUN \x1b]0;x\x07" + std::string(500, 'a')), {});
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK(line.size() < 260);
}
