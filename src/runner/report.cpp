#include "runner/report.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "runner/json_fields.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace gantry::runner {

namespace {

using Json = nlohmann::json;

template <typename T>
using Names = std::pair<T, std::string_view>;

constexpr std::array k_states = {
    Names<State>{State::pending, "pending"},     Names<State>{State::blocked, "blocked"},
    Names<State>{State::running, "running"},     Names<State>{State::success, "success"},
    Names<State>{State::failure, "failure"},     Names<State>{State::skipped, "skipped"},
    Names<State>{State::cancelled, "cancelled"}, Names<State>{State::timed_out, "timed_out"},
    Names<State>{State::error, "error"},
};

constexpr std::array k_causes = {
    Names<Cause>{Cause::ok, "ok"},
    Names<Cause>{Cause::failed, "failed"},
    Names<Cause>{Cause::killed_by_signal, "killed_by_signal"},
    Names<Cause>{Cause::oom, "oom"},
    Names<Cause>{Cause::timeout, "timeout"},
    Names<Cause>{Cause::cancelled, "cancelled"},
    Names<Cause>{Cause::service_unhealthy, "service_unhealthy"},
    Names<Cause>{Cause::image_error, "image_error"},
    Names<Cause>{Cause::checkout_error, "checkout_error"},
    Names<Cause>{Cause::config_error, "config_error"},
    Names<Cause>{Cause::engine_lost, "engine_lost"},
    Names<Cause>{Cause::agent_lost, "agent_lost"},
    Names<Cause>{Cause::disk_full, "disk_full"},
    Names<Cause>{Cause::internal, "internal"},
};

using Kind = RunEvent::Kind;
constexpr std::array k_event_kinds = {
    Names<Kind>{Kind::run_started, "run_started"},
    Names<Kind>{Kind::run_finished, "run_finished"},
    Names<Kind>{Kind::stage_started, "stage_started"},
    Names<Kind>{Kind::stage_finished, "stage_finished"},
    Names<Kind>{Kind::step_started, "step_started"},
    Names<Kind>{Kind::step_finished, "step_finished"},
    Names<Kind>{Kind::step_retry, "step_retry"},
    Names<Kind>{Kind::intent, "intent"},
    Names<Kind>{Kind::removed, "removed"},
    Names<Kind>{Kind::image_ready, "image_ready"},
    Names<Kind>{Kind::cancel_requested, "cancel_requested"},
    Names<Kind>{Kind::summary, "summary"},
    Names<Kind>{Kind::cache, "cache"},
    Names<Kind>{Kind::artifacts, "artifacts"},
    Names<Kind>{Kind::tests, "tests"},
    Names<Kind>{Kind::coverage, "coverage"},
    Names<Kind>{Kind::warning, "warning"},
    Names<Kind>{Kind::resumed, "resumed"},
    Names<Kind>{Kind::service_started, "service_started"},
    Names<Kind>{Kind::service_ready, "service_ready"},
    Names<Kind>{Kind::service_health, "service_health"},
    Names<Kind>{Kind::service_finished, "service_finished"},
};

template <typename T, std::size_t N>
std::string_view name_of(const std::array<Names<T>, N>& table, T value)
{
    for (const auto& [candidate, name] : table)
        if (candidate == value)
            return name;
    return "unknown";
}

template <typename T, std::size_t N>
std::optional<T> value_of(const std::array<Names<T>, N>& table, std::string_view text)
{
    for (const auto& [value, name] : table)
        if (name == text)
            return value;
    return std::nullopt;
}

// ---- writing

void put_timings(Json& json, const Timings& timings)
{
    Json object = Json::object();
    put(object, "pull_ns", timings.pull);
    put(object, "start_ns", timings.start);
    put(object, "command_ns", timings.command);
    put(object, "finish_ns", timings.finish);
    if (!object.empty())
        json["timings"] = std::move(object);
}

void put_outputs(Json& json, const std::map<std::string, std::string>& outputs)
{
    if (outputs.empty())
        return;
    auto& object = json["outputs"] = Json::object();
    for (const auto& [key, value] : outputs)
        object[as_json_text(key)] = as_json_text(value);
}

// ---- reading

[[noreturn]] void refuse_event(const std::string& key, const std::string& why)
{
    throw Error(Errc::bad_input, "event: field '" + key + "': " + why);
}

std::string text_at(const Json& json, const char* key)
{
    const auto found = json.find(key);
    if (found == json.end())
        return {};
    if (!found->is_string())
        refuse_event(key, "not a text");
    return found->get<std::string>();
}

template <typename T>
std::optional<T> number_at(const Json& json, const char* key)
{
    const auto found = json.find(key);
    if (found == json.end())
        return std::nullopt;
    if (!found->is_number_integer())
        refuse_event(key, "not a whole number");
    return found->get<T>();
}

std::chrono::nanoseconds duration_at(const Json& json, const char* key)
{
    return std::chrono::nanoseconds(number_at<std::int64_t>(json, key).value_or(0));
}

template <typename T, std::size_t N>
T name_at(const Json& json, const char* key, const std::array<Names<T>, N>& table, T fallback)
{
    const auto text = text_at(json, key);
    if (text.empty())
        return fallback;
    const auto value = value_of(table, text);
    if (!value)
        refuse_event(key, "'" + terminal_safe(text) + "' is not known here");
    return *value;
}

Timings timings_at(const Json& json)
{
    const auto found = json.find("timings");
    if (found == json.end())
        return {};
    if (!found->is_object())
        refuse_event("timings", "not an object");
    return {duration_at(*found, "pull_ns"), duration_at(*found, "start_ns"), duration_at(*found, "command_ns"),
            duration_at(*found, "finish_ns")};
}

std::map<std::string, std::string> outputs_at(const Json& json)
{
    std::map<std::string, std::string> outputs;
    const auto found = json.find("outputs");
    if (found == json.end())
        return outputs;
    if (!found->is_object())
        refuse_event("outputs", "not an object");
    for (const auto& [key, value] : found->items()) {
        if (!value.is_string())
            refuse_event("outputs." + key, "not a text");
        outputs[key] = value.get<std::string>();
    }
    return outputs;
}

std::chrono::system_clock::time_point time_at(const Json& json)
{
    const auto text = text_at(json, "time");
    if (text.empty())
        return {};
    const auto time = parse_time(text);
    if (!time)
        refuse_event("time", "not an RFC 3339 time");
    return *time;
}

std::optional<engine::ResourceUse> use_at(const Json& json)
{
    const auto found = json.find("use");
    if (found == json.end())
        return std::nullopt;
    if (!found->is_object())
        refuse_event("use", "not an object");
    const auto count = [&](const char* key) { return number_at<std::uint64_t>(*found, key).value_or(0); };
    engine::ResourceUse use;
    use.memory_bytes = count("memory_bytes");
    use.memory_peak_bytes = count("memory_peak_bytes");
    use.memory_limit_bytes = count("memory_limit_bytes");
    use.cpu = duration_at(*found, "cpu_ns");
    use.read_bytes = count("read_bytes");
    use.written_bytes = count("written_bytes");
    use.received_bytes = count("received_bytes");
    use.sent_bytes = count("sent_bytes");
    use.processes = count("processes");
    return use;
}

bool flag_at(const Json& json, const char* key)
{
    const auto found = json.find(key);
    if (found == json.end())
        return false;
    if (!found->is_boolean())
        refuse_event(key, "not true or false");
    return found->get<bool>();
}

} // namespace

std::string_view to_string(State state) { return name_of(k_states, state); }
std::optional<State> parse_state(std::string_view text) { return value_of(k_states, text); }
std::string_view to_string(Cause cause) { return name_of(k_causes, cause); }
std::optional<Cause> parse_cause(std::string_view text) { return value_of(k_causes, text); }
std::string_view to_string(RunEvent::Kind kind) { return name_of(k_event_kinds, kind); }

State state_of(Cause cause)
{
    switch (cause) {
    case Cause::ok: return State::success;
    case Cause::failed:
    case Cause::killed_by_signal:
    case Cause::oom: return State::failure;
    case Cause::timeout: return State::timed_out;
    case Cause::cancelled: return State::cancelled;
    default: return State::error;
    }
}

Json to_json(const engine::ResourceUse& use)
{
    Json json = Json::object();
    put(json, "memory_bytes", use.memory_bytes);
    put(json, "memory_peak_bytes", use.memory_peak_bytes);
    put(json, "memory_limit_bytes", use.memory_limit_bytes);
    put(json, "cpu_ns", use.cpu);
    put(json, "read_bytes", use.read_bytes);
    put(json, "written_bytes", use.written_bytes);
    put(json, "received_bytes", use.received_bytes);
    put(json, "sent_bytes", use.sent_bytes);
    put(json, "processes", use.processes);
    return json;
}

Json to_json(const RunEvent& event)
{
    Json json = {{"time", format_time(event.time)}, {"event", to_string(event.kind)}};
    put(json, "stage", event.stage);
    put(json, "step", event.step);
    if (event.attempt != 0)
        json["attempt"] = event.attempt;
    if (event.state != State::pending)
        json["state"] = to_string(event.state);
    if (event.cause != Cause::ok || is_final(event.state))
        json["cause"] = to_string(event.cause);
    put(json, "exit_code", event.exit_code);
    put(json, "signal", event.signal);
    put(json, "duration_ns", event.duration);
    put_timings(json, event.timings);
    put(json, "message", event.message);
    put(json, "hint", event.hint);
    put(json, "image", event.image);
    put(json, "object_kind", event.object_kind);
    put(json, "object", event.object);
    if (event.allowed_failure)
        json["allowed_failure"] = true;
    put_outputs(json, event.outputs);
    if (event.log_bytes != 0)
        json["log_bytes"] = event.log_bytes;
    if (event.use)
        json["use"] = to_json(*event.use);
    return json;
}

RunEvent event_from_json(const Json& json)
{
    if (!json.is_object())
        throw Error(Errc::bad_input, "event: not an object");
    const auto kind = value_of(k_event_kinds, text_at(json, "event"));
    if (!kind)
        refuse_event("event", "'" + terminal_safe(text_at(json, "event")) + "' is not known here");

    RunEvent event;
    event.kind = *kind;
    event.time = time_at(json);
    event.stage = text_at(json, "stage");
    event.step = text_at(json, "step");
    event.attempt = number_at<int>(json, "attempt").value_or(0);
    event.state = name_at(json, "state", k_states, State::pending);
    event.cause = name_at(json, "cause", k_causes, Cause::ok);
    event.exit_code = number_at<int>(json, "exit_code");
    event.signal = number_at<int>(json, "signal");
    event.duration = duration_at(json, "duration_ns");
    event.timings = timings_at(json);
    event.message = text_at(json, "message");
    event.hint = text_at(json, "hint");
    event.image = text_at(json, "image");
    event.object_kind = text_at(json, "object_kind");
    event.object = text_at(json, "object");
    event.allowed_failure = flag_at(json, "allowed_failure");
    event.outputs = outputs_at(json);
    event.log_bytes = number_at<std::uint64_t>(json, "log_bytes").value_or(0);
    event.use = use_at(json);
    return event;
}

} // namespace gantry::runner
