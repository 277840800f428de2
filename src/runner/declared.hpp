#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"
#include "runner/objects.hpp"

#include <exception>
#include <memory>

namespace gantry::runner {

// The volumes and networks that a pipeline file declares: made once, before the first stage that opens, removed with the run.
class Declared {
public:
    Declared(engine::Engine& engine, Objects& objects, asio::any_io_executor executor);

    // Returns when all are there. Throws what creating one threw, each time. External ones are looked for: bad_input where
    // there is no such volume. May overlap.
    awaitable<void> make(const pipeline::Plan& plan, const Owner& run);

private:
    awaitable<void> make_all(const pipeline::Plan& plan, const Owner& run);

    engine::Engine& engine_;
    Objects& objects_;
    Signal changed_;
    std::exception_ptr failure_;
    enum class Phase { none, making, made } phase_ = Phase::none;
};

} // namespace gantry::runner
