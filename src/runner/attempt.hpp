#pragma once

#include "runner/images.hpp"
#include "runner/lower.hpp"
#include "runner/masker.hpp"
#include "runner/objects.hpp"
#include "runner/report.hpp"
#include "runner/store.hpp"
#include "runner/use_watch.hpp"
#include "runner/waits.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// One attempt of one step, of whatever kind. Made for each attempt and used once:
//
//     prepare() → run() → (the owner calls discard())
//
// prepare() may run ahead, while an earlier step still runs. stop() may be called at any time, also twice.
class Attempt {
public:
    struct Parts {
        engine::Engine& engine;
        Clock& clock;
        RunWriter& writer;
        Images& images;
        Objects& objects;
        const MaskSet& masks;
        const std::vector<RunObserver*>& observers;
        Waits& waits;
        std::function<void(const std::string& where, const std::vector<std::string>&)> tell_left_out; // what an engine did not do
        TaskGroup& background; // for what need not be waited for
        asio::thread_pool* pool = nullptr; // for long computing; none: it is done on the loop
    };
    struct Request {
        StepContext context;      // without image and exchange mount: filled in here
        engine::PullPolicy pull = engine::PullPolicy::missing;
        std::optional<std::string> exchange_folder;
        bool hold = false;        // prepared ahead of its turn
        std::shared_ptr<SharedTraffic> shared_traffic; // of context.network_container
        std::chrono::nanoseconds grace = std::chrono::seconds(10);
        std::function<void()> on_started;  // its command runs
        std::function<void()> on_exited;   // its process has ended, the step not yet; not of steps without a process of their own
        std::function<void(const std::map<std::string, std::string>&)> on_ports; // published_ports(), where there are some
        std::function<void()> on_output;   // may be empty
    };
    struct Result {
        Outcome outcome;
        std::map<std::string, std::string> exported; // lines of CI_ENV
        std::string summary;
        std::vector<std::string> problems;           // of those files
        bool may_still_run = false; // nobody knows its process to have ended, and its container could not be removed
    };

    virtual ~Attempt() = default;

    // Gets ready what the step needs. Throws nothing: a failure is kept and comes out of run().
    virtual awaitable<void> prepare() = 0;
    // To the end of the step. Never throws; what goes wrong is the outcome's cause. Where the end of the process is not known, its
    // container has been removed, unless the result says otherwise.
    virtual awaitable<Result> run() = 0;
    // Asks the step to end: signal, grace, kill; hard: kill at once. Whatever it is doing.
    virtual void stop(bool hard) = 0;
    // Removes its container. May be called on one that was never created, and again: what could not be removed stays on the books
    // and is tried anew.
    virtual awaitable<void> discard() = 0;

    // A person can look into it when the step has failed; empty: there is none to look into.
    virtual std::string container() const = 0;
    // CI_ENV of earlier steps, as it was when this was made.
    virtual const std::map<std::string, std::string>& exported() const = 0;
    // prepare() has ended with an error.
    virtual bool failed() const = 0;
};

// Cause and words for an error of ours during a step.
Outcome outcome_of_error(const Error& error, Cause otherwise);

// What to look at for an exit code by which shells and init say that they could not begin; empty for any other.
std::string hint_of_exit(int exit_code);

} // namespace gantry::runner
