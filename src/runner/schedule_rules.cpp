#include "runner/schedule_rules.hpp"

#include "pipeline/expression.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace gantry::runner {

namespace {

using pipeline::Text;

// A condition is one expression, with its braces or without.
std::optional<std::string> expression_of(const Text& condition)
{
    if (condition.is_literal())
        return condition.literal();
    if (condition.parts().size() == 1)
        return condition.parts().front().text;
    return std::nullopt;
}

bool asks_for_status(const std::set<std::string>& names)
{
    constexpr std::array k_functions = {"success()", "failure()", "always()", "cancelled()"};
    return std::any_of(k_functions.begin(), k_functions.end(), [&](const char* name) { return names.contains(name); });
}

bool starts_below(const std::string& name, std::string_view root)
{
    return name == root || (name.starts_with(root) && name[root.size()] == '.');
}

bool mentions_steps(const Text& text)
{
    return std::any_of(text.parts().begin(), text.parts().end(),
                       [](const Text::Part& part) { return part.is_expression && part.text.find("steps") != std::string::npos; });
}

bool mentions_steps(const std::optional<Text>& text) { return text && mentions_steps(*text); }

bool mentions_steps(const std::vector<Text>& texts)
{
    return std::any_of(texts.begin(), texts.end(), [](const Text& text) { return mentions_steps(text); });
}

bool mentions_steps(const std::optional<std::vector<Text>>& texts) { return texts && mentions_steps(*texts); }

bool mentions_steps(const pipeline::EnvMap& map)
{
    return std::any_of(map.begin(), map.end(), [](const auto& entry) { return mentions_steps(entry.second); });
}

bool mentions_steps(const std::vector<pipeline::VolumeMount>& volumes)
{
    return std::any_of(volumes.begin(), volumes.end(), [](const pipeline::VolumeMount& volume) {
        return mentions_steps(volume.source) || mentions_steps(volume.target);
    });
}

Decision skip_for(const ConditionContext& context)
{
    return context.may_run ? Decision{} : Decision{Decision::Kind::skip, ""};
}

} // namespace

Cause cause_of(StopReason reason)
{
    if (reason == StopReason::none)
        return Cause::ok;
    if (reason == StopReason::service_lost)
        return Cause::service_unhealthy;
    if (reason == StopReason::disk_full)
        return Cause::disk_full;
    return reason == StopReason::cancel ? Cause::cancelled : Cause::timeout;
}

Decision decide(const std::optional<Text>& condition, const ConditionContext& context)
{
    if (!condition)
        return skip_for(context);
    const auto source = expression_of(*condition);
    if (!source)
        return {Decision::Kind::broken, "its condition is not one expression: " + condition->source()};
    const auto parsed = pipeline::parse_expression(*source);
    if (!parsed.expression)
        return {Decision::Kind::broken, "its condition cannot be read: " + parsed.error};

    const auto names = pipeline::names_of(*parsed.expression);
    if (context.implies_success && !context.may_run && !asks_for_status(names))
        return skip_for(context);
    const bool reads_steps =
        std::any_of(names.begin(), names.end(), [](const std::string& name) { return starts_below(name, "steps"); });
    const auto& facts = context.facts(reads_steps);
    const auto result = evaluate(*parsed.expression, make_scope(context.event, context.stage, &facts));
    if (!result.error.empty())
        return {Decision::Kind::broken, "its condition cannot be computed: " + result.error};
    if (!result.value)
        return {Decision::Kind::broken, "its condition depends on what is not known: " + *source};
    if (truthy(*result.value))
        return {};
    return {Decision::Kind::skip, "its condition is false: " + *source};
}

bool reads_unknown(const Text& condition, const pipeline::PlanStage& stage,
                   const std::map<std::string, pipeline::RuntimeFacts::Step>& over)
{
    const auto source = expression_of(condition);
    const auto parsed = pipeline::parse_expression(source.value_or(""));
    if (!parsed.expression)
        return true;
    for (const auto& name : pipeline::names_of(*parsed.expression)) {
        if (!starts_below(name, "steps"))
            continue;
        auto id = name == "steps" ? std::string() : name.substr(6, name.find('.', 6) - 6);
        const auto slash = id.rfind('/'); // "stage/step"; a stage's name may hold more of them
        if (slash != std::string::npos && id.substr(0, slash) != stage.name && id.substr(0, slash) != stage.id)
            continue;
        id = id.substr(slash == std::string::npos ? 0 : slash + 1);
        if (over.contains(id))
            continue;
        const bool is_ours = std::any_of(stage.steps.begin(), stage.steps.end(), [&](const pipeline::PlanStep& step) {
            return step.id == id || step.id.starts_with(id + ".");
        });
        if (is_ours || id.empty())
            return true;
    }
    return false;
}

bool computes_from_steps(const pipeline::PlanStep& step)
{
    const auto& container = step.container;
    return mentions_steps(step.run) || mentions_steps(container.image) || mentions_steps(container.environment) ||
           mentions_steps(container.entrypoint) || mentions_steps(container.command) || mentions_steps(container.user) ||
           mentions_steps(container.working_dir) || mentions_steps(container.hostname) ||
           mentions_steps(container.volumes) || mentions_steps(step.settings) || step.build || step.push;
}

bool may_retry(const pipeline::Retry& retry, const Outcome& outcome)
{
    const auto state = state_of(outcome.cause);
    if (outcome.cause == Cause::ok || outcome.cause == Cause::cancelled)
        return false;
    // A definition that is wrong stays wrong.
    const bool infra = state == State::error && outcome.cause != Cause::config_error;
    if (retry.when.empty() && retry.exit_codes.empty())
        return infra || state == State::failure;
    if (outcome.exit_code &&
        std::find(retry.exit_codes.begin(), retry.exit_codes.end(), *outcome.exit_code) != retry.exit_codes.end())
        return true;
    return std::any_of(retry.when.begin(), retry.when.end(), [&](const std::string& word) {
        return word == "always" || (word == "infra" && infra) || (word == "failure" && state == State::failure) ||
               word == to_string(outcome.cause);
    });
}

std::chrono::nanoseconds retry_delay(const pipeline::Retry& retry, int attempt)
{
    constexpr std::chrono::nanoseconds k_longest = std::chrono::hours(24);
    auto delay = std::clamp(retry.backoff, std::chrono::nanoseconds(0), k_longest);
    for (int i = 1; i < attempt && delay < k_longest; ++i)
        delay = std::min(delay * 2, k_longest);
    return delay;
}

int severity(State state)
{
    switch (state) {
    case State::failure: return 1;
    case State::error: return 2;
    case State::timed_out: return 3;
    case State::cancelled: return 4;
    default: return 0;
    }
}

bool is_allowed(State state)
{
    return state == State::failure || state == State::timed_out;
}

std::string_view verb_of(State state)
{
    switch (state) {
    case State::failure: return "failed";
    case State::skipped: return "was skipped";
    case State::cancelled: return "was cancelled";
    case State::timed_out: return "timed out";
    case State::error: return "could not run";
    default: return "passed";
    }
}

} // namespace gantry::runner
