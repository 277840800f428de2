#include "app/view/picture.hpp"
#include "app/view/views.hpp"
#include "base/columns.hpp"

#include "golden.hpp"
#include "view_world.hpp"

using namespace gantry;
using namespace std::chrono_literals;
using engine::Stream;
using runner::Cause;
using runner::State;
using test::ViewFixture;
using Kind = runner::RunEvent::Kind;

namespace {

// build has passed, test runs with output and a pull, image waits.
void tell_half(ViewFixture& world, app::Picture& picture)
{
    const auto tell = [&](const runner::RunEvent& event) { picture.on_event(event, world.clock.now()); };
    picture.begin(world.plan);
    tell(world.event(Kind::stage_started, "build"));
    tell(world.ended("build", "configure", Cause::ok, 1100ms));
    tell(world.ended("build", "compile", Cause::ok, 5s));
    auto done = world.event(Kind::stage_finished, "build");
    done.state = State::success;
    done.duration = 6200ms;
    tell(done);
    tell(world.event(Kind::stage_started, "test[gcc=13]"));
    auto started = world.event(Kind::step_started, "test[gcc=13]", "unit");
    started.attempt = 2;
    tell(started);
    picture.on_output({"test[gcc=13]", "unit", 2}, "first\n[ 37%] Built target checks\n\n\x1b[32mrunning\x1b[0m 128 \x1b[2Jtests\npart");
    picture.on_pull({"gcc:14", 7, 3, 118'000'000, 41'000'000});
    picture.on_waiting("gcc:14: waiting for the image");
    world.clock.advance(3800ms);
}

std::string drawn(const app::Picture& picture, app::TerminalSize size, Clock::time_point now)
{
    std::string text;
    for (const auto& line : picture.draw(size, now)) {
        CHECK(columns_of(line) <= size.columns);
        text += line + "\n";
    }
    return text;
}

} // namespace

TEST_CASE("the picture shows what runs, its last lines, pulls, and what waits for what", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{false, true});
    tell_half(world, picture);

    const auto finished = picture.take_finished(80);
    test::check_golden("live_80.txt", finished + "----\n" + drawn(picture, {80, 24}, world.clock.now()));
    CHECK(picture.take_finished(80).empty());
}

TEST_CASE("no line of the picture is wider than the terminal, no picture higher", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{true, true});
    tell_half(world, picture);

    test::check_golden("live_24.txt", drawn(picture, {24, 24}, world.clock.now()));
    for (int columns = 1; columns < 100; ++columns)
        for (int rows = 1; rows < 12; ++rows)
            CHECK(static_cast<int>(picture.draw({columns, rows}, world.clock.now()).size()) <= std::max(rows - 1, 1));
    CHECK(drawn(picture, {80, 4}, world.clock.now()).find("more lines") != std::string::npos);
}

TEST_CASE("an open group is shown by its title, also where its mark comes in two pieces", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{false, true});
    tell_half(world, picture);
    const runner::StepKey unit{"test[gcc=13]", "unit", 2};

    picture.on_output(unit, "\n::gro");
    picture.on_output(unit, "up::Install packages\nUnpacking a\nUnpacking b\n");
    auto text = drawn(picture, {80, 24}, world.clock.now());
    CHECK_THAT(text, ContainsSubstring("│ ▸ Install packages\n"));
    CHECK_THAT(text, ContainsSubstring("│ Unpacking b\n"));
    CHECK(text.find("::group") == std::string::npos);

    picture.on_output(unit, "::endgroup::\nTesting\n");
    text = drawn(picture, {80, 24}, world.clock.now());
    CHECK_THAT(text, ContainsSubstring("│ part\n    │ ▸ Install packages\n    │ Testing\n"));
    CHECK(text.find("Unpacking") == std::string::npos);
}

TEST_CASE("a closed group is one line, its title, however long it is", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{false, true});
    tell_half(world, picture);
    const runner::StepKey unit{"test[gcc=13]", "unit", 2};

    std::string printed = "\n::group::First\na\n::endgroup::\n::group::Second\n";
    for (int i = 0; i < 5000; ++i)
        printed += "Unpacking\n";
    printed += "::endgroup::\nTesting\n";
    const auto piece_bytes = GENERATE(std::size_t{4000}, std::size_t{1'000'000});
    for (std::size_t at = 0; at < printed.size(); at += piece_bytes)
        picture.on_output(unit, printed.substr(at, piece_bytes));
    const auto text = drawn(picture, {80, 24}, world.clock.now());

    CHECK_THAT(text, ContainsSubstring("    │ ▸ Second\n    │ Testing\n"));
    CHECK(text.find("Unpacking") == std::string::npos);
}

TEST_CASE("a service whose image is built is shown with what the builder says, until it starts", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{false, true});
    tell_half(world, picture);
    picture.on_output({"test[gcc=13]", "services/db", 1}, "[2/5] Dockerfile:3 RUN apt-get install\nUnpacking c\n");
    auto text = drawn(picture, {80, 24}, world.clock.now());
    CHECK_THAT(text, ContainsSubstring("services/db  not started yet"));
    CHECK_THAT(text, ContainsSubstring("│ Unpacking c\n"));

    picture.on_event(world.event(Kind::service_started, "test[gcc=13]", "services/db"), world.clock.now());
    text = drawn(picture, {80, 24}, world.clock.now());
    CHECK_THAT(text, ContainsSubstring("services/db  not ready yet"));
    CHECK(text.find("Unpacking c") == std::string::npos);
}

TEST_CASE("nothing that a step prints drives the terminal", "[app]")
{
    ViewFixture world;
    app::Picture picture(app::Style{true, true});
    tell_half(world, picture);
    picture.on_output({"test[gcc=13]", "unit", 2}, "\n\x1b[2J\x1b[H\x1b]52;c;AAAA\x07\x9b" "31m\n");

    const auto text = drawn(picture, {80, 24}, world.clock.now());

    CHECK(text.find("\x1b[2J") == std::string::npos);
    CHECK(text.find("\x1b]") == std::string::npos);
    CHECK(text.find('\x9b') == std::string::npos);
}

TEST_CASE("a frame is one write that goes over the last one, and no frame is drawn where nothing changed", "[app]")
{
    ViewFixture world;
    app::ViewOptions options;
    options.live = true;
    const auto view = app::make_live_view(options, world.world);
    view->begin(world.plan, "17", "gantry");
    view->tick();
    const int writes = world.out.writes;

    view->tick();
    CHECK(world.out.writes == writes);

    world.out.text.clear();
    view->on_event(world.event(Kind::stage_started, "build"));
    view->tick();
    CHECK(world.out.writes == writes + 1);
    CHECK(world.out.text.starts_with("\x1b[?25l\r\x1b[3A")); // three stages waited
    CHECK(world.out.text.ends_with("\x1b[J\x1b[?25h"));
}

TEST_CASE("a picture that a narrower terminal has broken is drawn over as a whole", "[app]")
{
    ViewFixture world;
    app::ViewOptions options;
    options.live = true;
    const auto view = app::make_live_view(options, world.world);
    view->begin(world.plan, "17", "gantry");
    view->tick(); // "· build" and two lines "· … waits for …" of 27 and 32 columns

    world.size.columns = 20;
    world.out.text.clear();
    view->tick();

    CHECK(world.out.text.starts_with("\x1b[?25l\r\x1b[5A"));
}
