#pragma once

#include "runner/exchange_files.hpp"
#include "runner/images.hpp"
#include "runner/lower.hpp"
#include "runner/masker.hpp"
#include "runner/objects.hpp"
#include "runner/run.hpp"
#include "runner/step_output.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gantry::runner {

// Runs one attempt of one step: image, container, output, end. Made for each attempt and used once.
//
//     prepare() → run() → (the owner removes the container)
//
// prepare() may run ahead, while an earlier step still runs: a container that can be held is then started already and waits for
// one line on its standard input, so that run() costs no start. stop() may be called at any time, also twice.
// Made by make_shared: what stops its process may still be unwinding when its owner lets go of it.
class StepRunner : public std::enable_shared_from_this<StepRunner> {
public:
    struct Parts {
        engine::Engine& engine;
        Clock& clock;
        RunWriter& writer;
        Images& images;
        Objects& objects;
        const MaskSet& masks;
        const std::vector<RunObserver*>& observers;
        TaskGroup& background; // for what need not be waited for
    };
    struct Request {
        StepContext context;      // without image and exchange mount: filled in here
        engine::PullPolicy pull = engine::PullPolicy::missing;
        std::optional<std::string> exchange_folder;
        bool hold = false;        // prepared ahead of its turn
        bool keep_failed = false;
        std::chrono::nanoseconds grace = std::chrono::seconds(10);
        std::function<void()> on_started;  // its command runs
        std::function<void()> on_output;   // may be empty
    };

    StepRunner(Parts parts, Request request);
    ~StepRunner();

    // Gets the image and the container ready. Throws nothing: a failure is kept and comes out of run().
    awaitable<void> prepare();
    struct Result {
        Outcome outcome;
        std::map<std::string, std::string> exported; // lines of CI_ENV
        std::string summary;
        std::vector<std::string> problems;           // of those files
    };
    // To the end of the step. Never throws; what goes wrong is the outcome's cause.
    awaitable<Result> run();

    // Asks the step to end: signal, grace, kill; hard: kill at once. Whatever it is doing.
    void stop(bool hard);
    // Removes the container. May be called on one that was never created.
    awaitable<void> discard();

    const std::string& container() const { return name_; }
    // CI_ENV of earlier steps, as it was when this was made.
    const std::map<std::string, std::string>& exported() const { return request_.context.exported; }
    bool held() const { return held_; }
    // prepare() has ended with an error.
    bool failed() const { return failure_ != nullptr; }

private:
    awaitable<void> create();
    awaitable<void> place_files(const std::string& user);
    awaitable<void> begin();
    awaitable<engine::ContainerExit> follow();
    awaitable<void> drain();
    awaitable<void> until(Signal& changed, const std::function<bool()>& holds, std::chrono::nanoseconds limit);
    awaitable<void> stop_process();
    awaitable<void> kill();
    awaitable<void> guarded(std::function<awaitable<void>()> phase);
    awaitable<void> finish(Result& result, const engine::ContainerExit& exit);
    Outcome outcome_of(const engine::ContainerExit& exit) const;

    Parts parts_;
    Request request_;
    std::string name_;
    std::string image_;
    std::unique_ptr<engine::Attachment> attachment_;
    std::unique_ptr<ExchangeFiles> exchange_;
    std::unique_ptr<StepOutput> output_;
    std::unique_ptr<Signal> drained_;
    std::exception_ptr failure_, output_failure_;
    asio::cancellation_signal cancel_;
    std::chrono::nanoseconds grace_;
    Timings timings_;
    bool preparing_ = false, prepared_ = false, held_ = false, running_ = false, ended_ = false, reading_ = false;
    bool stop_requested_ = false, hard_ = false, stopping_ = false, killed_by_us_ = false, discarded_ = false;
    std::unique_ptr<Signal> stop_changed_, prepared_changed_;
};

// Cause and words for an error of ours during a step.
Outcome outcome_of_error(const Error& error, Cause otherwise);

} // namespace gantry::runner
