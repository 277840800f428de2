#pragma once

#include "runner/attempt.hpp"
#include "runner/lower.hpp"
#include "runner/readiness.hpp"
#include "runner/service_files.hpp"
#include "runner/service_probe.hpp"
#include "runner/step_output.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gantry::runner {

// What a stage cannot go on without did not come up, or went away.
struct ServiceFailure {
    Outcome outcome;
};

// Runs one service of one stage: image, container, output, readiness, end. Made once and used once.
//
//     create() → start() → gate() → … → stop() → discard()
//
// Made by make_shared: what reads its output may still be unwinding when its owner lets go of it. All calls are cancellable
// but the last two.
class ServiceRunner : public std::enable_shared_from_this<ServiceRunner> {
public:
    struct Parts : Attempt::Parts {         // its observers see what the service prints
        bool near;                          // the engine's networks can be reached from here
        std::function<void(RunEvent)> tell; // to the journal: stage and step are filled in
    };
    struct Request {
        ServiceContext context; // without image: filled in here
        engine::PullPolicy pull = engine::PullPolicy::missing;
        std::chrono::nanoseconds grace = std::chrono::seconds(10);
        std::function<const std::string&()> carrier; // a container that has the workspace, for `files`
        // It ended after it had been ready and before stop(). An end with 0 is no loss.
        std::function<void(const ServiceFailure&)> on_lost;
    };

    ServiceRunner(Parts parts, Request request);
    ~ServiceRunner();

    // Image, container, streams. `built` is the image that was built for it; empty: the one that it names. Throws ServiceFailure.
    awaitable<void> create(std::string built);
    // Its process runs from here on. Throws ServiceFailure.
    awaitable<void> start();
    // Until it is ready. Throws ServiceFailure: it ended first (unless with 0 and nothing asks more of it than to run), or its
    // patience was over. May be awaited by several at once; one of them probes.
    awaitable<void> gate();
    // Until it has ended with 0. Throws ServiceFailure.
    awaitable<void> completion();
    // Signal, grace, kill. Its last words are in the log. Throws nothing.
    awaitable<void> stop();
    // Removes the container, if it was made. Nothing waits for its process any more afterwards, even where neither stop() nor
    // the removal could end it: that is told as its end then. Throws nothing.
    awaitable<void> discard();

    // Instead of create(): its image was not built. Its log has the builder's words.
    void tell_not_built(const Outcome& outcome);

    // No grace for it, in a stop() that runs or comes.
    void hurry();

    // What the engine's own healthcheck says: "healthy", "unhealthy".
    void on_health(const std::string& health);
    // Something changed; whoever waits looks again.
    Signal& changed() { return *changed_; }
    bool has_started() const { return started_; }
    bool has_check() const { return check_.kind != ReadyCheck::Kind::none; }
    const std::string& name() const { return request_.context.service->name; }
    const Owner& owner() const { return request_.context.owner; }
    const std::string& container() const { return container_; }
    // What expressions may read of it, once it is ready.
    pipeline::RuntimeFacts::Step facts() const;

private:
    class Sink;
    awaitable<void> wait_for_end();
    awaitable<void> end_reading();
    awaitable<void> learn_ports();
    awaitable<void> probe_until_ready();
    awaitable<void> ask_for_last_probe();
    awaitable<void> probe_by_our_clock();
    void become_ready();
    void note_end();
    RunEvent event(RunEvent::Kind kind) const;
    std::string after_last_probe() const;
    Outcome outcome_of_end() const;
    [[noreturn]] void fail_not_ready(const std::string& said, std::chrono::nanoseconds patience);
    [[noreturn]] void fail_ended();
    [[noreturn]] void give_up(Outcome outcome);
    void warn(const std::string& what) const;
    [[noreturn]] void fail(const std::exception_ptr& failure, Cause otherwise) const;

    Parts parts_;
    Request request_;
    std::string container_;
    ReadyCheck check_;
    std::unique_ptr<engine::Attachment> attachment_;
    std::unique_ptr<StepOutput> output_;
    std::unique_ptr<Sink> sink_;
    std::unique_ptr<Signal> changed_;
    UseWatch use_;
    UseWatch::Network use_of_network_;
    ServiceProbe probe_;
    asio::cancellation_signal cancel_reading_;
    std::map<std::string, std::string> ports_; // published_ports()
    Clock::time_point begun_{};
    std::optional<engine::ContainerExit> exit_;
    std::exception_ptr lost_;         // the engine, while it ran
    std::optional<Outcome> given_up_; // why the gate did not open, or that its process does not end
    std::string health_, last_probe_;
    bool created_ = false, publishes_ = false, started_ = false, ready_ = false, probing_ = false, reading_ = false, stopping_ = false,
         told_end_ = false, matched_ = false, hurried_ = false, abandoned_ = false;
};

} // namespace gantry::runner
