#pragma once

#include "runner/attempt.hpp"
#include "runner/build_log.hpp"
#include "runner/lower_build.hpp"
#include "runner/step_output.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gantry::runner {

// Runs one attempt of a step that builds an image, pushes one, or both: at the engine, without a container of the step's own.
// The builder's words are the step's log. Its outcome's image is the first name of what it made, or the image's id; a push adds
// the output "digest".
class BuildRunner final : public Attempt {
public:
    BuildRunner(Parts parts, Request request);
    ~BuildRunner() override;

    awaitable<void> prepare() override;
    awaitable<Result> run() override;
    void stop(bool hard) override;
    awaitable<void> discard() override;
    std::string container() const override { return {}; }
    const std::map<std::string, std::string>& exported() const override { return request_.context.exported; }
    bool failed() const override { return false; }

private:
    awaitable<void> work();
    awaitable<void> build();
    awaitable<std::vector<std::string>> cache_images(const engine::BuildSpec& spec);
    awaitable<void> push(const LoweredPush& push);
    awaitable<void> push_one(std::string image, std::string name);
    void say(const std::string& line);
    awaitable<void> tell(BuildLog& log, const engine::BuildEvent& event);
    awaitable<Outcome> outcome_of_failure(std::exception_ptr failure);

    Parts parts_;
    Request request_;
    std::string carrier_;
    std::unique_ptr<StepOutput> output_;
    asio::cancellation_signal cancel_;
    Outcome outcome_;
    std::vector<std::string> built_; // names
    std::string built_id_;
    bool stop_requested_ = false, discarded_ = false;
};

} // namespace gantry::runner
