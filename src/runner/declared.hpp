#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"
#include "runner/objects.hpp"

#include <exception>

namespace gantry::runner {

// The volumes and networks that a pipeline file declares: those of the run are made once, before the first stage that opens,
// and removed with the run; those of a stage come and go with it.
class Declared {
public:
    Declared(engine::Engine& engine, Objects& objects, const pipeline::Plan& plan, Owner run, Consent consent,
             asio::any_io_executor executor);

    // Returns when all that the stage can use is there. Throws what creating one threw, each time; bad_input for a volume that
    // needs consent and does not have it, and for an external one that is not there. May overlap, of different stages.
    awaitable<void> open(const pipeline::PlanStage& stage);
    // Removes what is the stage's own. Throws what removing throws; it stays on the books then.
    awaitable<void> close(const pipeline::PlanStage& stage);

private:
    awaitable<void> make_for_run();
    awaitable<void> make(engine::NetworkSpec spec, const Owner& owner);
    awaitable<void> make(engine::VolumeSpec spec, const Owner& owner);
    Owner owner_of(const pipeline::PlanStage& stage) const { return {run_.instance, run_.run, stage.id}; }

    engine::Engine& engine_;
    Objects& objects_;
    const pipeline::Plan& plan_;
    Owner run_;
    Consent consent_;
    Signal changed_;
    std::exception_ptr failure_;
    enum class Phase { none, making, made } phase_ = Phase::none;
};

} // namespace gantry::runner
