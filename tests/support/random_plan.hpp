#pragma once

#include "support/plan_builder.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Random plans for simulators, from a seed: equal seeds give equal plans.

namespace gantry::test {

// SplitMix64 (Steele, Lea, Flood 2014): the same numbers with every library, and a new one is cheap.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next()
    {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    // 0 … limit - 1
    int below(int limit) { return static_cast<int>(next() % static_cast<std::uint64_t>(limit)); }
    int between(int first, int last) { return first + below(last - first + 1); }
    bool chance(int percent) { return below(100) < percent; }

private:
    std::uint64_t state_;
};

// A condition as its generator meant it, so that a test can compute it without the expression language.
struct MeantCondition {
    enum class Kind { none, success, failure, always, on_branch, off_branch, output_yes, state_success } kind = Kind::none;
    std::string stage, step; // whose output or state
};

inline std::string source_of(const MeantCondition& condition, bool across_stages)
{
    using Kind = MeantCondition::Kind;
    const auto step = across_stages ? "steps['" + condition.stage + "/" + condition.step + "']" : "steps." + condition.step;
    switch (condition.kind) {
    case Kind::success: return "success()";
    case Kind::failure: return "failure()";
    case Kind::always: return "always()";
    case Kind::on_branch: return "branch == 'main'";
    case Kind::off_branch: return "branch == 'release'";
    case Kind::output_yes: return step + ".outputs.go == 'yes'";
    case Kind::state_success: return "always() && " + step + ".state == 'success'";
    default: return {};
    }
}

struct RandomPlan {
    pipeline::Plan plan;
    std::vector<MeantCondition> stage_conditions;
    std::vector<std::vector<MeantCondition>> step_conditions; // by stage, then by step
    bool can_time_out = false;
};

struct RandomPlanOptions {
    int max_stages = 6;
    int max_steps = 4; // of a stage, without finally
};

class RandomPlanMaker {
public:
    RandomPlanMaker(std::uint64_t seed, RandomPlanOptions options) : random_(seed), options_(options) {}

    RandomPlan make()
    {
        result_.plan = plan_of({});
        const int stages = random_.between(1, options_.max_stages);
        for (int i = 0; i < stages; ++i)
            add_stage();
        if (random_.chance(8))
            limit(result_.plan.timeout, 20);
        return std::move(result_);
    }

private:
    using Kind = MeantCondition::Kind;

    void limit(std::optional<pipeline::Duration>& duration, int most_seconds)
    {
        duration = std::chrono::seconds(random_.between(1, most_seconds));
        result_.can_time_out = true;
    }

    void add_stage()
    {
        auto& stages = result_.plan.stages;
        std::vector<std::string> needs;
        for (const auto& other : stages)
            if (random_.chance(40))
                needs.push_back(other.id);
        auto added = stage("S" + std::to_string(stages.size()), needs, {});
        result_.step_conditions.emplace_back();
        const int steps = random_.between(random_.chance(3) ? 0 : 1, options_.max_steps);
        for (int i = 0; i < steps; ++i)
            add_step(added, false);
        for (int i = random_.chance(30) ? random_.between(1, 2) : 0; i > 0; --i)
            add_step(added, true);

        auto condition = stage_condition(needs);
        if (condition.kind != Kind::none)
            added = when(source_of(condition, true), std::move(added));
        result_.stage_conditions.push_back(condition);
        added.allow_failure = random_.chance(10);
        if (random_.chance(3))
            added.skip_reason = "decided";
        if (random_.chance(6))
            limit(added.timeout, 10);
        stages.push_back(std::move(added));
    }

    MeantCondition stage_condition(const std::vector<std::string>& needs)
    {
        if (random_.chance(70))
            return {};
        auto condition = status_condition();
        if (needs.empty() || random_.chance(50))
            return condition;
        const auto& id = needs[static_cast<std::size_t>(random_.below(static_cast<int>(needs.size())))];
        const auto& stages = result_.plan.stages;
        const auto needed = std::find_if(stages.begin(), stages.end(), [&](const auto& stage) { return stage.id == id; });
        if (needed->steps.empty())
            return condition;
        const auto step = static_cast<std::size_t>(random_.below(static_cast<int>(needed->steps.size())));
        return {random_.chance(50) ? Kind::output_yes : Kind::state_success, id, needed->steps[step].id};
    }

    MeantCondition status_condition()
    {
        constexpr Kind kinds[] = {Kind::success, Kind::failure, Kind::always, Kind::on_branch, Kind::off_branch};
        return {kinds[random_.below(5)], "", ""};
    }

    void add_step(pipeline::PlanStage& stage, bool in_finally)
    {
        auto added = step("s" + std::to_string(stage.steps.size()));
        added.in_finally = in_finally;
        const bool joins = !stage.steps.empty() && stage.steps.back().in_finally == in_finally && random_.chance(30);
        added.group = stage.steps.empty() ? 0 : stage.steps.back().group + (joins ? 0 : 1);
        MeantCondition condition;
        if (random_.chance(25))
            condition = step_condition(stage, added.group);
        if (condition.kind != Kind::none)
            added = when(source_of(condition, false), std::move(added));
        result_.step_conditions.back().push_back(condition);

        added.allow_failure = random_.chance(12);
        if (random_.chance(3))
            added.skip_reason = "decided";
        if (random_.chance(30))
            add_retry(added.retry);
        if (random_.chance(12))
            limit(added.timeout, 6);
        if (random_.chance(6))
            limit(added.idle_timeout, 4);
        stage.steps.push_back(std::move(added));
    }

    // Of the steps before it, those in other groups are over by then.
    MeantCondition step_condition(const pipeline::PlanStage& stage, int group)
    {
        std::vector<std::string> over;
        for (const auto& step : stage.steps)
            if (step.group != group)
                over.push_back(step.id);
        if (over.empty() || random_.chance(60))
            return status_condition();
        const auto step = static_cast<std::size_t>(random_.below(static_cast<int>(over.size())));
        return {random_.chance(50) ? Kind::output_yes : Kind::state_success, stage.id, over[step]};
    }

    void add_retry(pipeline::Retry& retry)
    {
        static const std::vector<std::string> words[] = {{}, {"always"}, {"infra"}, {"failure"}, {"timeout", "oom"}};
        retry.max = random_.between(1, 3);
        retry.when = words[random_.below(5)];
        if (random_.chance(20))
            retry.exit_codes = {75};
        retry.backoff = std::chrono::milliseconds(random_.chance(50) ? 0 : random_.between(1, 2000));
    }

    Random random_;
    RandomPlanOptions options_;
    RandomPlan result_;
};

inline RandomPlan random_plan(std::uint64_t seed, const RandomPlanOptions& options = {})
{
    return RandomPlanMaker(seed, options).make();
}

} // namespace gantry::test
