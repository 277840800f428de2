#include "app/view/picture.hpp"
#include "app/view/views.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include "golden.hpp"
#include "view_world.hpp"

#include <chrono>
#include <fcntl.h>

using namespace gantry;
using namespace std::chrono_literals;
using engine::Stream;
using runner::Cause;
using runner::State;
using test::ViewFixture;
using Kind = runner::RunEvent::Kind;

namespace {

const runner::StepKey k_unit{"test[gcc=13]", "unit", 1};
const app::View::Tail k_no_tail = [](const runner::StepKey&, int) { return std::string(); };

// build passes, unit of test fails, image is skipped.
void tell_failed_run(ViewFixture& world, app::View& view)
{
    view.begin(world.plan, "17", "gantry 0.1.0 · shop @ 4f2a9c1 · docker 20.10 · run 17");
    world.tell(view, world.event(Kind::run_started)).message = "shop";
    auto pulled = world.event(Kind::image_ready);
    pulled.message = "gcc:13";
    pulled.duration = 2100ms;
    world.clock.advance(2100ms);
    world.tell(view, pulled);
    world.tell(view, world.event(Kind::stage_started, "build"));
    auto starts = world.event(Kind::step_started, "build", "configure");
    starts.attempt = 1;
    world.tell(view, starts);
    view.on_output({"build", "configure", 1}, Stream::out, "checking for cc\n");
    world.clock.advance(5s);
    world.tell(view, world.ended("build", "configure", Cause::ok, 5s));
    auto done = world.event(Kind::stage_finished, "build");
    done.state = State::success;
    done.duration = 5s;
    world.tell(view, done);
    world.tell(view, world.event(Kind::stage_started, "test[gcc=13]"));
    view.on_output(k_unit, Stream::out, "running 128 tests\n");
    view.on_output(k_unit, Stream::err, "cart_test.cpp:41: FAILED");
    world.clock.advance(3100ms);
    auto failed = world.ended("test[gcc=13]", "unit", Cause::failed, 3100ms);
    failed.exit_code = 2;
    failed.log_bytes = 4000;
    world.tell(view, failed);
    done = world.event(Kind::stage_finished, "test[gcc=13]");
    done.state = State::failure;
    done.cause = Cause::failed;
    done.message = "step unit failed";
    done.duration = 3100ms;
    world.tell(view, done);
    done = world.event(Kind::stage_finished, "image");
    done.state = State::skipped;
    done.message = "it needs test[gcc=13], which failed";
    world.tell(view, done);
    auto end = world.event(Kind::run_finished);
    end.state = State::failure;
    end.cause = Cause::failed;
    world.tell(view, end);
    view.end(world.summary(), [](const runner::StepKey&, int) { return std::string("running 128 tests\ncart_test.cpp:41: FAILED\n"); });
}

app::ViewOptions plain()
{
    return {};
}

} // namespace

TEST_CASE("output goes behind its step to standard output, what we say to standard error", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);

    tell_failed_run(world, *view);

    test::check_golden("plain_failed.out", world.out.text);
    test::check_golden("plain_failed.err", world.err.text);
}

TEST_CASE("a terminal that is not UTF-8 gets stand-ins for our symbols", "[app]")
{
    ViewFixture world;
    auto options = plain();
    options.unicode = false;
    const auto view = app::make_plain_view(options, world.world);

    tell_failed_run(world, *view);

    test::check_golden("plain_failed_ascii.err", world.err.text);
    CHECK(world.err.text.find_first_of("\x80\xe2\xc2") == std::string::npos);
}

TEST_CASE("a quiet view tells only what failed", "[app]")
{
    ViewFixture world;
    auto options = plain();
    options.quiet = true;
    const auto view = app::make_plain_view(options, world.world);

    tell_failed_run(world, *view);

    CHECK(world.out.text.empty());
    test::check_golden("quiet_failed.err", world.err.text);
}

TEST_CASE("who cancels once more is told that this is at once", "[app]")
{
    ViewFixture world;
    auto first = world.event(Kind::cancel_requested), second = first;
    first.message = second.message = "SIGINT";
    second.outputs = {{"at_once", "true"}};
    SECTION("in lines")
    {
        const auto view = app::make_plain_view(plain(), world.world);
        view->on_event(first);
        view->on_event(second);
        CHECK(world.err.text == "gantry: cancelling (SIGINT): running steps may end in order\n"
                                "gantry: cancelling (SIGINT) at once: running steps are killed\n");
    }
    SECTION("above the picture")
    {
        app::Picture picture(app::Style{false, true});
        picture.on_event(first, world.clock.now());
        picture.on_event(second, world.clock.now());
        CHECK(picture.take_finished(80) == "cancelling (SIGINT); once more: at once\n"
                                           "cancelling (SIGINT) at once: running steps are killed\n");
    }
}

TEST_CASE("lines of two steps never mix, whatever pieces they come in", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);
    view->begin(world.plan, "17", "");

    view->on_output({"build", "compile", 1}, Stream::out, "one ");
    view->on_output({"image", "unit", 1}, Stream::out, "two\nth");
    view->on_output({"build", "compile", 1}, Stream::err, "other stream\n");
    view->on_output({"build", "compile", 1}, Stream::out, "and a half\n");
    view->end(world.summary(), k_no_tail);

    CHECK(world.out.text == "image/unit | two\n"
                            "build/compile | other stream\n"
                            "build/compile | one and a half\n"
                            "image/unit | th\n");
}

TEST_CASE("a line without an end is printed when its step ends", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);
    world.tell(*view, world.event(Kind::stage_started, "build"));
    view->on_output({"build", "compile", 1}, Stream::out, "no newline");

    world.tell(*view, world.ended("build", "compile", Cause::ok, 1s));

    CHECK(world.out.text == "build/compile | no newline\n");
}

TEST_CASE("a line without an end does not grow beyond 64 KiB", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);
    const std::string piece(10'000, 'x');
    for (int i = 0; i < 10; ++i)
        view->on_output({"build", "compile", 1}, Stream::out, piece);
    view->end(world.summary(), k_no_tail);

    CHECK(world.out.text == "build/compile | " + std::string(65536, 'x') + "\nbuild/compile | " + std::string(100'000 - 65536, 'x') + "\n");
}

TEST_CASE("bytes go into a file as they are, and cannot drive a terminal", "[app]")
{
    const std::string hostile = "\x1b]0;title\x07 \x1b[31mred\x1b[0m 50%\r100%\r\n";
    auto options = plain();
    std::string expected = "build/compile | \x1b]0;title\x07 \x1b[31mred\x1b[0m 50%\r100%\r\n";
    SECTION("file") {}
    SECTION("terminal")
    {
        options.safe = true;
        expected = "build/compile | 100%\n";
    }
    SECTION("title")
    {
        options.safe = true;
        options.colours = true;
    }
    ViewFixture world;
    const auto view = app::make_plain_view(options, world.world);
    if (options.colours) {
        view->on_output({"build", "compile", 1}, Stream::out, "\x1b]0;title\x07 \x1b[31mred\n");
        expected = "build/compile | ^[]0;title^G \x1b[31mred\x1b[0m\n";
    } else {
        view->on_output({"build", "compile", 1}, Stream::out, hostile);
    }
    view->end(world.summary(), k_no_tail);

    CHECK(world.out.text == expected);
}

TEST_CASE("output is gathered, and written at the next tick", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);
    view->on_output({"build", "compile", 1}, Stream::out, "first\n"); // long since the last write
    const int writes = world.out.writes;

    for (int i = 0; i < 100; ++i)
        view->on_output({"build", "compile", 1}, Stream::out, "line\n");
    CHECK(world.out.writes == writes);
    view->tick();

    CHECK(world.out.writes == writes + 1);
}

TEST_CASE("plain lines pass at more than 300 MB/s", "[.][bench]")
{
    ViewFixture world;
    const auto null = app::make_fd_output(::open("/dev/null", O_WRONLY));
    const app::ViewWorld quiet{*null, *null, world.clock, world.world.size};
    const auto view = app::make_plain_view(plain(), quiet);
    std::string piece;
    while (piece.size() < 64 * 1024)
        piece += "[ 37%] Building CXX object src/app/CMakeFiles/gantry_app.dir/view/plain.cpp.o\n";

    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 16 * 1024; ++i)
        view->on_output({"build", "compile", 1}, Stream::out, piece);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;

    WARN(static_cast<double>(piece.size()) * 16 * 1024 / 1e6 / took.count() << " MB/s");
    CHECK(static_cast<double>(piece.size()) * 16 * 1024 / 1e6 / took.count() > 300);
}

TEST_CASE("what to do, and where the time went, keep to 80 columns and break between phrases", "[app]")
{
    ViewFixture world;
    const std::string stage = "integration[compiler=gcc]", step = "unit-of-all";
    world.plan.stages = {ViewFixture::stage(stage, {}, {step}), ViewFixture::stage("other", {}, {step})};
    const auto view = app::make_plain_view(plain(), world.world);
    view->begin(world.plan, "17", "");
    world.tell(*view, world.event(Kind::run_started)).message = "shop";
    world.tell(*view, world.event(Kind::stage_started, stage));
    auto starts = world.event(Kind::step_started, stage, step);
    starts.attempt = 1;
    world.tell(*view, starts);
    world.clock.advance(5s);
    const bool passes = GENERATE(true, false);
    auto ended = world.ended(stage, step, passes ? Cause::ok : Cause::failed, 5s);
    ended.exit_code = passes ? 0 : 2;
    ended.log_bytes = 4000;
    world.tell(*view, ended);
    auto end = world.event(Kind::run_finished);
    end.state = passes ? State::success : State::failure;
    world.tell(*view, end);
    world.err.text.clear();

    view->end(world.summary(), k_no_tail);

    CAPTURE(world.err.text);
    for (const auto& line : split(world.err.text, '\n'))
        CHECK(columns_of(line) <= 80);
    if (passes)
        CHECK_THAT(world.err.text, ContainsSubstring("rest 0.0\n  longest: integration [compiler=gcc] › "));
    else
        CHECK_THAT(world.err.text, ContainsSubstring("unit-of-all'\n               all that it printed\n"));
}

TEST_CASE("the last lines of a failed step show groups by their titles, and as many lines as without", "[app]")
{
    ViewFixture world;
    const auto view = app::make_plain_view(plain(), world.world);
    view->begin(world.plan, "17", "");
    world.tell(*view, world.event(Kind::run_started)).message = "shop";
    world.tell(*view, world.event(Kind::stage_started, "build"));
    auto ended = world.ended("build", "compile", Cause::failed, 5s);
    ended.exit_code = 2;
    ended.log_bytes = 4000;
    world.tell(*view, ended);
    auto end = world.event(Kind::run_finished);
    end.state = State::failure;
    world.tell(*view, end);
    world.err.text.clear();
    std::vector<std::string> log;
    for (int i = 0; i < 30; ++i) {
        log.push_back("line " + std::to_string(i));
        if (i == 20)
            log.emplace_back("::group::Second");
        if (i == 12 || i == 25)
            log.emplace_back("::endgroup::");
    }

    view->end(world.summary(), [&log](const runner::StepKey&, int lines) {
        return join({log.end() - lines, log.end()}, "\n") + "\n";
    });

    const auto& text = world.err.text;
    CAPTURE(text);
    CHECK_THAT(text, ContainsSubstring("    line 20\n    ▸ Second\n    line 21\n") && ContainsSubstring("\n\n    line 11\n    line 12\n    line 13\n"));
    CHECK(text.find("group::") == std::string::npos);
}
