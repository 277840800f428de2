#pragma once

#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"
#include "runner/report.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

// The decisions of the schedule that need no state of it: conditions, retries, verdicts.

namespace gantry::runner {

// Why a step was stopped, inner reasons before outer ones: the outermost is the one that is told.
enum class StopReason { none, idle_timeout, step_timeout, service_lost, finally_limit, stage_timeout, disk_full, run_timeout, cancel };
Cause cause_of(StopReason reason);

struct Decision {
    enum class Kind { run, skip, broken } kind = Kind::run;
    std::string reason; // of skip and broken
};

struct ConditionContext {
    const pipeline::Event& event;
    const pipeline::PlanStage& stage;
    // Called only when there is a condition, and told whether it reads results of steps. Valid until the next call.
    std::function<const pipeline::RuntimeFacts&(bool with_stages)> facts;
    bool may_run = true;        // nothing before it failed and nobody cancelled
    bool implies_success = true; // a condition without a status function asks for that, too
};
Decision decide(const std::optional<pipeline::Text>& condition, const ConditionContext& context);
// Whether `condition` reads results of a step of `stage` that is not in `over` yet.
bool reads_unknown(const pipeline::Text& condition, const pipeline::PlanStage& stage,
                   const std::map<std::string, pipeline::RuntimeFacts::Step>& over);
// Whether anything else of the step (image, environment, script, …) is computed from results of steps.
bool computes_from_steps(const pipeline::PlanStep& step);

bool may_retry(const pipeline::Retry& retry, const Outcome& outcome);
// Before the next attempt, when `attempt` of them have failed. At most a day.
std::chrono::nanoseconds retry_delay(const pipeline::Retry& retry, int attempt);

// Which of several states wins: cancelled, timed_out, error, failure, then all others alike.
int severity(State state);
// With `allow_failure`: whether this state counts as success. What went wrong on our side never does.
bool is_allowed(State state);

// "failed", "timed out", "was cancelled": after the name of a step or stage.
std::string_view verb_of(State state);

} // namespace gantry::runner
