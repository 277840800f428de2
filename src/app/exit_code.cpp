#include "app/exit_code.hpp"

#include <csignal>

namespace gantry::app {

int exit_code_of(const Error& error)
{
    switch (error.code()) {
    case Errc::bad_input:
    case Errc::not_found:
    case Errc::conflict:
    case Errc::unsupported: return k_exit_usage;
    case Errc::cancelled: return 128 + SIGINT;
    case Errc::denied:
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::no_space:
    case Errc::internal: return k_exit_infrastructure;
    }
    return k_exit_infrastructure;
}

int exit_code_of(runner::State state, runner::Cause cause, int signal)
{
    switch (state) {
    case runner::State::success:
    case runner::State::skipped: return k_exit_ok;
    case runner::State::failure: return k_exit_failed;
    case runner::State::timed_out: return k_exit_timed_out;
    case runner::State::cancelled: return 128 + (signal != 0 ? signal : SIGTERM);
    case runner::State::error:
        return cause == runner::Cause::config_error ? k_exit_usage : k_exit_infrastructure;
    default: return k_exit_infrastructure;
    }
}

} // namespace gantry::app
