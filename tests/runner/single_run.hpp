#pragma once

#include "base/scratch.hpp"
#include "runner/run_simulator_process.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/plan_builder.hpp"
#include "support/run_to_end.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

// One run of a plan on the fake engine, which is left with nothing of it, unless it may be, and has been asked for nothing wrong.
struct SingleRun {
    explicit SingleRun(pipeline::Plan the_plan) : plan(std::move(the_plan)) {}

    Process& begin() { return begin(store->create_run(plan, {})); }
    // Another process goes on in the journal of one that died.
    Process& begin(std::unique_ptr<runner::RunWriter> writer)
    {
        id = writer->id();
        if (!unwritable.empty())
            writer = std::make_unique<FillingWriter>(std::move(writer), -1, unwritable);
        options.instance = store->instance();
        processes.push_back(std::make_unique<Process>(loop, plan, engine, clock, std::move(writer), options, -1));
        process = processes.back().get();
        process->spawn(process->run().execute());
        return *process;
    }
    runner::RunSummary finish()
    {
        drive(loop, clock, [this] { return process->has_ended(); });
        process->die();
        if (!may_leave)
            CHECK(engine.objects().empty());
        CHECK(engine.violations().empty());
        return store->summary(id);
    }
    runner::RunSummary run()
    {
        begin();
        return finish();
    }
    int calls(const std::string& operation) const
    {
        return static_cast<int>(std::count_if(engine.calls().begin(), engine.calls().end(),
                                              [&](const engine::FakeCall& call) { return call.operation == operation; }));
    }

    const pipeline::Plan plan;
    runner::RunOptions options;
    std::string unwritable; // no log takes it; empty: each takes all
    bool may_leave = false; // objects at the engine
    const Scratch folder;
    std::unique_ptr<runner::Store> store = runner::open_store(folder.path());
    asio::io_context loop;
    ManualClock clock;
    engine::FakeEngine engine{loop.get_executor(), clock};
    std::vector<std::unique_ptr<Process>> processes;
    Process* process = nullptr; // the last of them
    std::string id;
};

} // namespace gantry::test
