#pragma once

#include "engine/fake/fake.hpp"

#include <memory>
#include <string_view>

namespace gantry::engine {

// `--engine fake`: plays a pipeline without containers. What each one does is in its own environment, under GANTRY_FAKE,
// as words with blanks between them:
//
//   exit=3             its exit code; default 0                  after=50ms       how long it runs; default no time
//   output=text        to stdout as it begins                    error=text       to stderr
//   say=1s:text        to stdout after that time; repeatable     file=/path:text  leaves this file; repeatable
//   oom                it was killed for its memory              never            runs until it is killed
//   ignore-signals     all but SIGKILL                           stops-within=2s  from a signal to its end
//   signal-exit=0      its exit code after a signal              start-error=text its program cannot be run
//   healthy-after=1s   for services with a health check          unhealthy        what the check says then
//
// Text with blanks stands in double quotes; \n, \t, \" and \\ mean what they mean in C. Without GANTRY_FAKE a step
// exits 0 at once, and a service runs until it is killed. One that has open_stdin begins when its input is closed.
//
// GANTRY_FAKE="exit=2 after=1.5s output=\"compiling\n\" error=\"no such file\n\""
inline constexpr const char* k_fake_variable = "GANTRY_FAKE";

// Throws bad_input for a word or a value that is not one of these.
FakeBehaviour parse_behaviour(std::string_view text);

// Uploads are unpacked but not kept. Every image exists.
std::unique_ptr<FakeEngine> make_scripted_fake(asio::any_io_executor executor, Clock& clock);

} // namespace gantry::engine
