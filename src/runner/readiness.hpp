#pragma once

#include "base/clock.hpp"
#include "engine/spec.hpp"
#include "pipeline/definition.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

// When a service counts as ready. Pure; service_runner.cpp does what is decided here.

namespace gantry::runner {

// How to find out. Which one: `ready` of the file, else the healthcheck of the file over that of the image, else none.
struct ReadyCheck {
    enum class Kind {
        none,     // ready once its process runs
        command,  // `command`, run inside of it, exits 0
        declared, // the engine's own healthcheck says so, at its own interval
        tcp,      // `port` accepts a connection
        http,     // GET of `path` at `port` answers 2xx
        log       // a line of its output matches `pattern` (RE2)
    } kind = Kind::none;
    std::vector<std::string> command;
    std::uint16_t port = 0;
    std::string path, pattern;

    // The healthcheck's, with Docker's defaults where it says nothing.
    std::chrono::nanoseconds interval = std::chrono::seconds(30), timeout = std::chrono::seconds(30), start_period{0};
    int retries = 3;

    // After that it has failed: when the engine, probing in its interval, would have said "unhealthy".
    std::chrono::nanoseconds patience() const { return start_period + retries * interval; }
    friend bool operator==(const ReadyCheck&, const ReadyCheck&) = default;
};

// Throws bad_input for a `ready` that cannot be (a path without a port's number, a regular expression that is none).
ReadyCheck ready_check(const pipeline::Service& service, const std::optional<engine::HealthcheckSpec>& of_image);
// "its healthcheck", "port 5432": what the check looks at, for messages.
std::string describe(const ReadyCheck& check);

// When to probe, and when to give up. Probes begin at once and follow each other after 20 ms, growing to 500 ms (never
// slower than the declared interval): what a healthcheck's interval spares the engine in operation costs a pipeline time.
class Readiness {
public:
    Readiness(const ReadyCheck& check, Clock::time_point started);

    enum class Verdict { waiting, ready, failed };
    // A probe ended.
    Verdict on_probe(bool succeeded, Clock::time_point now);
    // How long to wait before the next. The last one comes when the patience is at its end.
    std::chrono::nanoseconds pause(Clock::time_point now);

private:
    Clock::time_point deadline_;
    std::chrono::nanoseconds longest_, next_;
};

} // namespace gantry::runner
