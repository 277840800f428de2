#include "runner/event_numbers.hpp"
#include "runner/json_fields.hpp"
#include "runner/lower.hpp"
#include "runner/store.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace gantry::runner {

namespace {

using Json = nlohmann::json;
using Kind = RunEvent::Kind;

// Entries that the plan does not have (a journal of another version) are added at the end rather than lost.
StageSummary& stage_of(RunSummary& run, const std::string& id)
{
    for (auto& stage : run.stages)
        if (stage.stage == id)
            return stage;
    run.stages.push_back({.stage = id});
    return run.stages.back();
}

StepSummary& entry_of(std::vector<StepSummary>& steps, const RunEvent& event)
{
    for (auto& step : steps)
        if (step.step == event.step)
            return step;
    steps.push_back({.stage = event.stage, .step = event.step});
    return steps.back();
}

StepSummary& step_of(RunSummary& run, const RunEvent& event)
{
    return entry_of(stage_of(run, event.stage).steps, event);
}

StepSummary& service_of(RunSummary& run, const RunEvent& event)
{
    return entry_of(stage_of(run, event.stage).services, event);
}

void begin_attempt(StepSummary& step, const RunEvent& event)
{
    step = {.stage = step.stage, .step = step.step, .attempt = event.attempt, .state = State::running, .image = event.image,
            .has_container = step.has_container};
}

// What ran when the former process died does not run any more; it will be started again or not.
void resume(RunSummary& run)
{
    run.state = State::running;
    for (auto& stage : run.stages) {
        if (stage.state == State::running)
            stage.state = State::pending;
        for (auto* list : {&stage.steps, &stage.services})
            for (auto& step : *list)
                if (step.state == State::running)
                    step.state = State::pending;
    }
}

KeptArtifacts kept_of(const RunEvent& event)
{
    KeptArtifacts kept{number_in<std::uint64_t>(event, "files"), number_in<std::uint64_t>(event, "bytes"), {}};
    if (const auto expires = event.outputs.find("expires"); expires != event.outputs.end())
        kept.expires = parse_time(expires->second);
    return kept;
}

void finish_run(RunSummary& run, const RunEvent& event)
{
    run.state = event.state;
    run.cause = event.cause;
    run.finished = event.time;
}

void replay(RunSummary& run, const RunEvent& event)
{
    switch (event.kind) {
    case Kind::run_started:
        run.state = State::running;
        run.started = event.time;
        run.details = event.outputs;
        if (!event.message.empty())
            run.pipeline = event.message;
        break;
    case Kind::run_finished: finish_run(run, event); break;
    case Kind::stage_started: stage_of(run, event.stage).state = State::running; break;
    case Kind::stage_finished: {
        auto& stage = stage_of(run, event.stage);
        stage.state = event.state;
        stage.cause = event.cause;
        stage.allowed_failure = event.allowed_failure;
        stage.message = event.message;
        stage.duration = event.duration;
        if (stage.allowed_failure) // what made it fail, too
            for (auto& step : stage.steps)
                step.allowed_failure |= went_wrong(step.state);
        break;
    }
    case Kind::step_started:
        if (event.outputs.empty())
            begin_attempt(step_of(run, event), event);
        else
            step_of(run, event).outputs = event.outputs;
        break;
    case Kind::step_finished: take_end(step_of(run, event), event); break;
    case Kind::step_retry: step_of(run, event).state = State::pending; break;
    case Kind::warning: run.warnings.push_back(event); break;
    case Kind::resumed: resume(run); break;
    case Kind::artifacts: stage_of(run, event.stage).artifacts = kept_of(event); break;
    case Kind::service_started: begin_attempt(service_of(run, event), event); break;
    case Kind::service_finished: take_end(service_of(run, event), event); break;
    case Kind::service_ready: service_of(run, event).outputs = event.outputs; break;
    case Kind::service_health: service_of(run, event).lapses += event.message == "unhealthy"; break;
    case Kind::intent:
    case Kind::removed:
    case Kind::image_ready:
    case Kind::cancel_requested:
    case Kind::summary:
    case Kind::cache:
    case Kind::tests:
    case Kind::coverage: break;
    }
}

// ---- JSON

Json texts(const std::map<std::string, std::string>& values)
{
    Json json = Json::object();
    for (const auto& [key, value] : values)
        put(json, key.c_str(), value);
    return json;
}

Json outcome(State state, Cause cause)
{
    Json json = {{"state", to_string(state)}};
    if (is_final(state))
        json["cause"] = to_string(cause);
    return json;
}

Json as_json(const StepSummary& step)
{
    Json json = outcome(step.state, step.cause);
    put(json, "step", step.step);
    json["attempt"] = step.attempt;
    put(json, "exit_code", step.exit_code);
    put(json, "signal", step.signal);
    json["duration_ns"] = step.duration.count();
    json["timings"] = {{"pull_ns", step.timings.pull.count()}, {"start_ns", step.timings.start.count()},
                       {"command_ns", step.timings.command.count()}, {"finish_ns", step.timings.finish.count()}};
    put(json, "message", step.message);
    put(json, "hint", step.hint);
    put(json, "image", step.image);
    if (step.allowed_failure)
        json["allowed_failure"] = true;
    if (step.lapses > 0)
        json["lapses"] = step.lapses;
    std::map<std::string, std::string> outputs, ports;
    for (const auto& [name, value] : step.outputs)
        (pipeline::is_port(name) ? ports : outputs)[name] = value;
    if (!outputs.empty())
        json["outputs"] = texts(outputs);
    if (!ports.empty())
        json["ports"] = texts(ports);
    json["log_bytes"] = step.log_bytes;
    if (step.use)
        json["use"] = to_json(*step.use);
    return json;
}

Json as_json(const StageSummary& stage)
{
    Json json = outcome(stage.state, stage.cause);
    put(json, "stage", stage.stage);
    put(json, "message", stage.message);
    if (stage.allowed_failure)
        json["allowed_failure"] = true;
    json["duration_ns"] = stage.duration.count();
    json["steps"] = Json::array();
    for (const auto& step : stage.steps)
        json["steps"].push_back(as_json(step));
    for (const auto& service : stage.services)
        json["services"].push_back(as_json(service));
    if (stage.artifacts) {
        json["artifacts"] = {{"files", stage.artifacts->files}, {"size_bytes", stage.artifacts->size_bytes}};
        if (stage.artifacts->expires)
            json["artifacts"]["expires"] = format_time(*stage.artifacts->expires);
    }
    return json;
}

} // namespace

void take_end(StepSummary& step, const RunEvent& event)
{
    if (event.attempt != 0)
        step.attempt = event.attempt;
    step.state = event.state;
    step.cause = event.cause;
    step.exit_code = event.exit_code;
    step.signal = event.signal;
    step.duration = event.duration;
    step.timings = event.timings;
    step.message = event.message;
    step.hint = event.hint;
    if (!event.image.empty())
        step.image = event.image;
    step.allowed_failure = event.allowed_failure;
    step.outputs = event.outputs;
    step.log_bytes = event.log_bytes;
    step.use = event.use;
}

RunSummary summarize(const std::string& id, const pipeline::Plan& plan, const std::vector<RunEvent>& events)
{
    RunSummary run;
    run.id = id;
    run.pipeline = plan.pipeline;
    for (const auto& stage : plan.stages) {
        run.stages.push_back({.stage = stage.id});
        for (const auto& step : stage.steps)
            run.stages.back().steps.push_back({.stage = stage.id, .step = step.id, .has_container = !step.build && !step.push});
        for (const auto& service : stage.services)
            run.stages.back().services.push_back({.stage = stage.id, .step = service_key(service.name)});
    }
    for (const auto& event : events)
        replay(run, event);
    return run;
}

Json to_json(const RunSummary& summary)
{
    Json json = outcome(summary.state, summary.cause);
    json["id"] = summary.id;
    put(json, "pipeline", summary.pipeline);
    json["interrupted"] = summary.interrupted;
    if (summary.started != std::chrono::system_clock::time_point())
        json["started"] = format_time(summary.started);
    if (summary.finished != std::chrono::system_clock::time_point()) {
        json["finished"] = format_time(summary.finished);
        json["duration_ns"] = std::chrono::duration_cast<std::chrono::nanoseconds>(summary.finished - summary.started).count();
    }
    json["details"] = texts(summary.details);
    json["stages"] = Json::array();
    for (const auto& stage : summary.stages)
        json["stages"].push_back(as_json(stage));
    json["warnings"] = Json::array();
    for (const auto& warning : summary.warnings)
        json["warnings"].push_back(to_json(warning));
    return json;
}

} // namespace gantry::runner
