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

    // After that it has failed: when the engine, probing in its interval, would have said "unhealthy". `probe` is how long one takes:
    // the interval begins at its end.
    std::chrono::nanoseconds patience(std::chrono::nanoseconds probe = {}) const { return start_period + retries * (interval + probe); }
    friend bool operator==(const ReadyCheck&, const ReadyCheck&) = default;
};

// Throws bad_input for a `ready` that cannot be (a path without a port's number, a regular expression that is none). `shell` is the
// image's, for CMD-SHELL; empty: /bin/sh -c. Times of nothing and no retries mean Docker's defaults, as they do there.
ReadyCheck ready_check(const pipeline::Service& service, const std::optional<engine::HealthcheckSpec>& of_image,
                       const std::vector<std::string>& shell = {});
// "its healthcheck", "port 5432": what the check looks at, for messages.
std::string describe(const ReadyCheck& check);

// When to probe, and when to give up. Probes begin at once and follow each other after 20 ms, growing to 500 ms (never
// slower than the declared interval): what a healthcheck's interval spares the engine in operation costs a pipeline time.
class Readiness {
public:
    Readiness(const ReadyCheck& check, Clock::time_point started);

    enum class Verdict { waiting, ready, failed };
    // A probe ended.
    Verdict on_probe(bool succeeded, Clock::time_point begun, Clock::time_point now);
    // How long to wait before the next. The last one comes when the patience is at its end.
    std::chrono::nanoseconds pause(Clock::time_point now);
    // Grows with the longest probe that there was.
    std::chrono::nanoseconds patience() const { return check_.patience(longest_probe_); }

private:
    ReadyCheck check_;
    Clock::time_point started_;
    std::chrono::nanoseconds longest_probe_{0}, longest_pause_, next_;
};

} // namespace gantry::runner
