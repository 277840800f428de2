#include "runner/readiness.hpp"

#include "support/catch.hpp"
#include "support/manual_clock.hpp"

using namespace gantry;
using namespace gantry::test;
using namespace std::chrono_literals;
using runner::Readiness;
using runner::ready_check;
using runner::ReadyCheck;
using CheckKind = ReadyCheck::Kind;
using Words = std::vector<std::string>;

namespace {

pipeline::Service service_with(Words test)
{
    pipeline::Service service;
    service.container.healthcheck.emplace();
    service.container.healthcheck->test = std::move(test);
    return service;
}

pipeline::Service service_ready_by(pipeline::Ready ready)
{
    pipeline::Service service;
    service.ready = std::move(ready);
    return service;
}

engine::HealthcheckSpec of_image()
{
    engine::HealthcheckSpec check;
    check.test = {"CMD", "pg_isready"};
    check.interval = 5s;
    check.retries = 4;
    return check;
}

} // namespace

TEST_CASE("a service without any check is ready when it runs", "[services]")
{
    CHECK(ready_check({}, std::nullopt).kind == CheckKind::none);
    CHECK(ready_check(service_with({"NONE"}), of_image()).kind == CheckKind::none);
    auto disabled = service_with({});
    disabled.container.healthcheck->disable = true;
    CHECK(ready_check(disabled, of_image()).kind == CheckKind::none);
}

TEST_CASE("the file's healthcheck goes over the image's, key by key", "[services]")
{
    const auto image = ready_check({}, of_image());
    CHECK(image.kind == CheckKind::command);
    CHECK(image.command == Words{"pg_isready"});
    CHECK(image.patience() == 20s);

    auto times_only = service_with({});
    times_only.container.healthcheck->retries = 10;
    times_only.container.healthcheck->start_period = 3s;
    const auto both = ready_check(times_only, of_image());
    CHECK(both.command == Words{"pg_isready"});
    CHECK(both.patience() == 53s);

    CHECK(ready_check(service_with({"CMD-SHELL", "a || b"}), of_image()).command == Words{"/bin/sh", "-c", "a || b"});
    CHECK(ready_check(service_with({"CMD", "x", "y"}), std::nullopt).command == Words{"x", "y"});
    CHECK(ready_check(service_with({"CMD", "x"}), std::nullopt).patience() == 90s); // Docker's defaults
}

TEST_CASE("probe: declared leaves the probing to the engine", "[services]")
{
    auto service = service_with({"CMD", "x"});
    service.probe = "declared";
    CHECK(ready_check(service, std::nullopt).kind == CheckKind::declared);
}

TEST_CASE("ready: names a port, a page or a line", "[services]")
{
    pipeline::Ready ready;
    ready.tcp = 5432;
    CHECK(ready_check(service_ready_by(ready), of_image()).kind == CheckKind::tcp);
    CHECK(ready_check(service_ready_by(ready), std::nullopt).port == 5432);

    const auto http = [](const char* text) {
        pipeline::Ready by_http;
        by_http.http = text;
        return ready_check(service_ready_by(by_http), std::nullopt);
    };
    CHECK(http(":8080/health").port == 8080);
    CHECK(http(":8080/health").path == "/health");
    CHECK(http("8080").path == "/");
    CHECK(http("/up").port == 80);
    CHECK(http("http://localhost:81/a?b=c").port == 81);
    CHECK(http("http://localhost/a").path == "/a");
    for (const char* bad : {":0/x", ":99999/", "port", ":80/a b", ":80/a\nHost: x", "", ":80x"})
        CHECK_THROWS_AS(http(bad), Error);

    pipeline::Ready log;
    log.log = "ready to accept (connections|queries)";
    CHECK(ready_check(service_ready_by(log), std::nullopt).kind == CheckKind::log);
    log.log = "(";
    CHECK_THROWS_AS(ready_check(service_ready_by(log), std::nullopt), Error);
}

TEST_CASE("probes follow each other after 20 ms, growing to 500 ms", "[services]")
{
    ManualClock clock;
    Readiness readiness(ready_check(service_with({"CMD", "x"}), std::nullopt), clock.now());
    CHECK(readiness.pause(clock.now()) == 20ms);
    CHECK(readiness.pause(clock.now()) == 25ms);
    std::chrono::nanoseconds pause{0};
    for (int i = 0; i < 20; ++i)
        pause = readiness.pause(clock.now());
    CHECK(pause == 500ms);
}

TEST_CASE("a short interval is kept", "[services]")
{
    ManualClock clock;
    auto service = service_with({"CMD", "x"});
    service.container.healthcheck->interval = 100ms;
    Readiness readiness(ready_check(service, std::nullopt), clock.now());
    std::chrono::nanoseconds longest{0};
    for (int i = 0; i < 20; ++i)
        longest = std::max(longest, readiness.pause(clock.now()));
    CHECK(longest == 100ms);
}

TEST_CASE("it has failed when the engine would have said so, and is asked once more right then", "[services]")
{
    ManualClock clock;
    auto service = service_with({"CMD", "x"});
    service.container.healthcheck->interval = 1s;
    service.container.healthcheck->retries = 2;
    service.container.healthcheck->start_period = 1s;
    const auto begun = clock.now();
    Readiness readiness(ready_check(service, std::nullopt), begun);
    CHECK(readiness.on_probe(false, begun + 2900ms, begun + 2900ms) == Readiness::Verdict::waiting);
    for (int i = 0; i < 20; ++i)
        readiness.pause(begun);
    CHECK(readiness.pause(begun + 2900ms) == 100ms);
    CHECK(readiness.on_probe(false, begun + 3s, begun + 3s) == Readiness::Verdict::failed);
    CHECK(readiness.on_probe(true, begun + 4s, begun + 4s) == Readiness::Verdict::ready);
}

TEST_CASE("probes that take their time are not counted against the service", "[services]")
{
    ManualClock clock;
    auto service = service_with({"CMD", "x"});
    service.container.healthcheck->interval = 1s;
    service.container.healthcheck->timeout = 2s;
    service.container.healthcheck->retries = 2;
    const auto begun = clock.now();
    Readiness readiness(ready_check(service, std::nullopt), begun);
    CHECK(readiness.on_probe(false, begun, begun + 1s) == Readiness::Verdict::waiting);
    CHECK(readiness.patience() == 4s); // the engine would begin at 1s and 3s
    CHECK(readiness.on_probe(false, begun + 2s, begun + 2s) == Readiness::Verdict::waiting);
    CHECK(readiness.on_probe(false, begun + 3s, begun + 5900ms) == Readiness::Verdict::waiting); // beyond its timeout
    CHECK(readiness.patience() == 6s);
    CHECK(readiness.on_probe(false, begun + 6s, begun + 6s) == Readiness::Verdict::failed);
}

TEST_CASE("times of nothing and no retries are Docker's defaults", "[services]")
{
    auto service = service_with({"CMD", "x"});
    service.container.healthcheck->interval = 0s;
    service.container.healthcheck->timeout = 0s;
    service.container.healthcheck->retries = 0;
    const auto check = ready_check(service, std::nullopt);
    CHECK(check.interval == 30s);
    CHECK(check.timeout == 30s);
    CHECK(check.retries == 3);

    engine::HealthcheckSpec image;
    image.start_period = 5s;
    service.container.healthcheck->start_period = 0s;
    CHECK(ready_check(service, image).start_period == 0s);
}

TEST_CASE("a check in shell form runs in the image's shell", "[services]")
{
    CHECK(ready_check(service_with({"CMD-SHELL", "a"}), std::nullopt, {"/bin/bash", "-ec"}).command == Words{"/bin/bash", "-ec", "a"});
}
