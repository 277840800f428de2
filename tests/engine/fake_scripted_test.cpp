#include "fake_world.hpp"

#include "engine/fake/scripted.hpp"

using namespace gantry;
using namespace gantry::engine;

TEST_CASE("GANTRY_FAKE is read word by word", "[fake]")
{
    const auto does = parse_behaviour(
        R"(exit=3 after=50ms output="two words\n" error=oh say=20ms:b say=10ms:a file=/x/y:"a b" ignore-signals=1)");

    CHECK(does.exit_code == 3);
    CHECK(does.runs_for == 50ms);
    CHECK(does.output == "two words\n");
    CHECK(does.error_output == "oh");
    REQUIRE(does.says.size() == 2);
    CHECK(does.says[0].bytes == "a");
    CHECK(does.says[1].after == 20ms);
    CHECK(does.files == std::map<std::string, std::string>{{"/x/y", "a b"}});
    CHECK(does.ignores_signals);
    CHECK_FALSE(does.oom_killed);

    CHECK(parse_behaviour("").exit_code == 0);
    CHECK(parse_behaviour("oom").exit_code == 137);
    CHECK(parse_behaviour("oom=1 exit=0").exit_code == 0);
    CHECK(parse_behaviour("never stops-within=2s signal-exit=9").exit_code_on_signal == 9);
    CHECK(parse_behaviour("healthy-after=3s unhealthy").healthy_after == 3s);
    CHECK(parse_behaviour(R"(start-error="no \"such\" program")").start_error == "no \"such\" program");
}

TEST_CASE("what GANTRY_FAKE cannot mean is refused with its word", "[fake]")
{
    CHECK_THROWS_WITH(parse_behaviour("exti=3"), ContainsSubstring("unknown word \"exti\""));
    CHECK_THROWS_WITH(parse_behaviour("exit=256"), ContainsSubstring("exit=256"));
    CHECK_THROWS_WITH(parse_behaviour("exit=x"), ContainsSubstring("exit=x"));
    CHECK_THROWS_WITH(parse_behaviour("after=5"), ContainsSubstring("no duration"));
    CHECK_THROWS_WITH(parse_behaviour("say=hello"), ContainsSubstring("colon"));
    CHECK_THROWS_WITH(parse_behaviour("file=x:y"), ContainsSubstring("absolute"));
    CHECK_THROWS_WITH(parse_behaviour("oom=maybe"), ContainsSubstring("neither"));
    CHECK_THROWS_WITH(parse_behaviour("output=\"x"), ContainsSubstring("quote"));
    try {
        parse_behaviour("exti=3");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::bad_input);
        CHECK(error.hint() == "did you mean exit?");
    }
}

TEST_CASE("a scripted engine does what each container's environment says", "[fake]")
{
    asio::io_context io;
    test::ManualClock clock;
    const auto engine = make_scripted_fake(io.get_executor(), clock);
    const auto play = [](Engine& at, Collector& sink) -> awaitable<int> {
        auto spec = container_spec("web");
        spec.environment = {{"PATH", "/bin"}, {"GANTRY_FAKE", "exit=3 after=50ms output=text"}};
        co_await at.create_container(spec);
        const Engine::AttachOptions options;
        const auto attachment = co_await at.attach("web", options);
        co_await at.start_container("web");
        co_await attachment->read_all(sink);
        const auto exit = co_await at.wait_container("web");
        co_return exit.exit_code;
    };
    Collector sink;

    CHECK(test::run_to_end(io, clock, play(*engine, sink)) == 3);
    CHECK(sink.out == "text");
    CHECK(clock.elapsed() == 50ms);
}

TEST_CASE("a scripted container that is held begins when it is let go", "[fake]")
{
    asio::io_context io;
    test::ManualClock clock;
    const auto engine = make_scripted_fake(io.get_executor(), clock);
    auto spec = container_spec("web");
    spec.open_stdin = true;
    spec.environment = {{"GANTRY_FAKE", "exit=3"}};
    Engine::AttachOptions options;
    options.open_stdin = true;
    test::run_to_end(io, clock, engine->create_container(spec));
    const auto attachment = test::run_to_end(io, clock, engine->attach("web", options));
    test::run_to_end(io, clock, engine->start_container("web"));
    CHECK(test::run_to_end(io, clock, engine->inspect_container("web")).state == ContainerState::running);

    test::run_to_end(io, clock, attachment->write("\n"));
    test::run_to_end(io, clock, attachment->close_stdin());

    CHECK(test::run_to_end(io, clock, engine->wait_container("web")).exit_code == 3);
}
