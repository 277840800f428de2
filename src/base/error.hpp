#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace gantry {

// What the caller can do about an error. Exit codes come from it in app/exit_code.cpp and nowhere else.
enum class Errc {
    bad_input,   // the user's file, flag or environment is wrong: change it
    not_found,   // the named thing does not exist
    conflict,    // it exists already, or is in use
    denied,      // no permission or wrong credentials
    unavailable, // the other side (engine, registry) is not there or went away: retrying may help
    timed_out,   // no answer within the deadline
    no_space,    // a disk is full
    cancelled,   // we were asked to stop
    unsupported, // this engine cannot do it
    internal,    // our bug, or something that nothing above can be done about
};

std::string_view to_string(Errc code);

// The one exception type that leaves a module. Its text is a chain of context, outermost first:
// "run 12: step build: pull alpine:3.20: connection refused". A hint says what to do, in one line.
class Error : public std::exception {
public:
    Error(Errc code, std::string what, std::string hint = {});

    Errc code() const { return code_; }
    const std::string& hint() const { return hint_; }
    const char* what() const noexcept override { return what_.c_str(); }

    // Puts "phrase: " in front of the text.
    void add_context(std::string_view phrase);
    Error&& with_hint(std::string hint) &&;

private:
    Errc code_;
    std::string what_;
    std::string hint_;
};

// The text of errno `number`, as an Error with the code that fits it (ENOENT: not_found, ENOSPC: no_space, …).
Error errno_error(int number, std::string what);

// Text and code of any exception in flight, for the roots that report it. Never throws.
Error to_error(std::exception_ptr failure);

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

// For our own bugs, never for input; stays on in release builds.
#define GANTRY_ASSERT(condition) ((condition) ? void(0) : ::gantry::assertion_failed(#condition, __FILE__, __LINE__))

} // namespace gantry
