#pragma once

#include "runner/attempt.hpp"
#include "runner/exchange_files.hpp"
#include "runner/step_output.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gantry::runner {

// Runs one attempt of one step that has a container: image, container, output, end.
//
// A container that can be held and is prepared ahead is started already and waits for one line on its standard input, so that
// run() costs no start. Made by make_shared: what reads its output or stops its process may still be unwinding when its owner
// lets go of it.
class StepRunner final : public Attempt, public std::enable_shared_from_this<StepRunner> {
public:
    StepRunner(Parts parts, Request request);
    ~StepRunner() override;

    awaitable<void> prepare() override;
    awaitable<Result> run() override;
    void stop(bool hard) override;
    awaitable<void> discard() override;
    std::string container() const override { return name_; }
    const std::map<std::string, std::string>& exported() const override { return request_.context.exported; }
    bool failed() const override { return failure_ != nullptr; }

private:
    awaitable<void> create();
    std::vector<std::string> paths_to_place() const;
    awaitable<void> place_files(const engine::ContainerSpec& spec, const std::string& user);
    awaitable<void> begin();
    awaitable<void> learn_ports();
    awaitable<engine::ContainerExit> follow();
    awaitable<void> drain();
    awaitable<void> until(Signal& changed, const std::function<bool()>& holds, std::chrono::nanoseconds limit);
    awaitable<void> stop_process();
    awaitable<void> kill();
    awaitable<void> kill_until_ended();
    awaitable<bool> remove_at_last();
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
    UseWatch use_;
    UseWatch::Network use_of_network_;
    asio::cancellation_signal cancel_;
    std::chrono::nanoseconds grace_;
    Timings timings_;
    std::map<std::string, std::string> ports_; // published_ports()
    bool preparing_ = false, prepared_ = false, publishes_ = false, held_ = false, running_ = false, ended_ = false, reading_ = false;
    bool stop_requested_ = false, hard_ = false, stopping_ = false, killed_by_us_ = false, unkillable_ = false, cut_ = false;
    bool may_run_ = false, discarding_ = false, discarded_ = false;
    std::unique_ptr<Signal> stop_changed_, prepared_changed_, discard_ended_;
};

} // namespace gantry::runner
