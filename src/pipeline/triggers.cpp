#include "pipeline/triggers.hpp"

#include "pipeline/glob.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gantry::pipeline {

namespace {

TriggerMatch refuse(std::string reason) { return {false, std::move(reason)}; }

bool asks_to_skip(const Event& event)
{
    if (event.kind == Event::Kind::manual || event.kind == Event::Kind::schedule)
        return false;
    const auto message = to_lower(event.message);
    return message.find("[skip ci]") != std::string::npos || message.find("[ci skip]") != std::string::npos;
}

bool paths_match(const PathFilter& filter, const Event& event)
{
    if (filter.patterns.empty() || !event.changed_files)
        return true;
    const GlobList globs(filter.patterns);
    return std::any_of(event.changed_files->begin(), event.changed_files->end(),
                       [&](const std::string& path) { return globs.matches(path); });
}

TriggerMatch match_paths(const PathFilter& filter, const Event& event, std::string_view key)
{
    if (paths_match(filter, event))
        return {};
    return refuse(fmt::format("none of {} changed files matches {}.paths ({})", event.changed_files->size(), key,
                              join(filter.patterns, ", ")));
}

TriggerMatch match_push(const PushTrigger& push, const Event& event)
{
    const bool any = push.branches.empty() && push.tags.empty();
    if (!any && push.branches.empty())
        return refuse(fmt::format("push to '{}': on.push names only tags", event.branch));
    if (!any && !GlobList(push.branches).matches(event.branch))
        return refuse(fmt::format("push to '{}': on.push.branches is {}", event.branch, join(push.branches, ", ")));
    return match_paths(push.paths, event, "on.push");
}

TriggerMatch match_tag(const PushTrigger& push, const Event& event)
{
    const bool any = push.branches.empty() && push.tags.empty();
    if (!any && push.tags.empty())
        return refuse(fmt::format("tag '{}': on.push names only branches", event.tag));
    if (!any && !GlobList(push.tags).matches(event.tag))
        return refuse(fmt::format("tag '{}': on.push.tags is {}", event.tag, join(push.tags, ", ")));
    return {};
}

TriggerMatch match_pull_request(const PullRequestTrigger& trigger, const Event& event)
{
    const auto& target = event.pull_request && !event.pull_request->target_branch.empty()
                             ? event.pull_request->target_branch
                             : event.branch;
    if (!trigger.branches.empty() && !GlobList(trigger.branches).matches(target))
        return refuse(fmt::format("pull request into '{}': on.pull_request.branches is {}", target,
                                  join(trigger.branches, ", ")));
    return match_paths(trigger.paths, event, "on.pull_request");
}

TriggerMatch match_undeclared(const Event& event)
{
    if (event.kind == Event::Kind::schedule)
        return refuse("a schedule starts it, but 'on.schedule' is not there");
    return {};
}

TriggerMatch match_declared(const Triggers& triggers, const Event& event)
{
    switch (event.kind) {
    case Event::Kind::push:
        return triggers.push ? match_push(*triggers.push, event) : refuse("'on' does not name push");
    case Event::Kind::tag:
        return triggers.push ? match_tag(*triggers.push, event) : refuse("'on' does not name push");
    case Event::Kind::pull_request:
        return triggers.pull_request ? match_pull_request(*triggers.pull_request, event)
                                     : refuse("'on' does not name pull_request");
    case Event::Kind::schedule:
        return triggers.schedule.empty() ? refuse("'on' does not name schedule") : TriggerMatch{};
    case Event::Kind::manual: return triggers.manual ? TriggerMatch{} : refuse("'on' does not name manual");
    }
    return {};
}

bool is_number(const std::string& value)
{
    double number = 0;
    const auto* last = value.data() + value.size();
    const auto [end, problem] = std::from_chars(value.data(), last, number);
    return problem == std::errc() && end == last && std::isfinite(number);
}

Diagnostic problem(std::string code, std::string message, Mark mark, const std::string& name, std::string hint)
{
    Diagnostic diagnostic;
    diagnostic.code = std::move(code);
    diagnostic.message = std::move(message);
    diagnostic.mark = mark;
    diagnostic.path = "on.manual.inputs." + name;
    diagnostic.hint = std::move(hint);
    return diagnostic;
}

const Input* find_input(const Triggers& triggers, const std::string& name)
{
    const auto found = std::find_if(triggers.inputs.begin(), triggers.inputs.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    return found == triggers.inputs.end() ? nullptr : &found->second;
}

std::string hint_for_input(const Triggers& triggers, const std::string& name)
{
    std::vector<std::string> names;
    for (const auto& entry : triggers.inputs)
        names.push_back(entry.first);
    if (const auto near = nearest(name, names))
        return fmt::format("did you mean '{}'?", *near);
    return names.empty() ? "declare it under on.manual.inputs" : "inputs are " + join(names, ", ");
}

} // namespace

TriggerMatch match_triggers(const Triggers& triggers, const Event& event)
{
    if (asks_to_skip(event))
        return refuse("the message asks to skip it");
    return triggers.declared ? match_declared(triggers, event) : match_undeclared(event);
}

std::string input_problem(const Input& input, const std::string& value)
{
    const auto& options = input.options;
    switch (input.type) {
    case Input::Type::string: return {};
    case Input::Type::boolean: return value == "true" || value == "false" ? "" : "is neither true nor false";
    case Input::Type::number: return is_number(value) ? "" : "is not a number";
    case Input::Type::choice:
        return std::find(options.begin(), options.end(), value) != options.end() ? ""
                                                                                 : "is none of " + join(options, ", ");
    }
    return {};
}

Diagnostics complete_inputs(const Triggers& triggers, Event& event)
{
    Diagnostics problems;
    for (const auto& [name, value] : event.inputs) {
        const auto* input = find_input(triggers, name);
        if (!input) {
            problems.push_back(problem("unknown-input", fmt::format("there is no input '{}'", terminal_safe(name)), {},
                                       name, hint_for_input(triggers, name)));
            continue;
        }
        const auto why = input_problem(*input, value);
        const auto near = why.empty() ? std::nullopt : nearest(value, input->options);
        if (!why.empty())
            problems.push_back(problem("wrong-input",
                                       fmt::format("input '{}': '{}' {}", name, terminal_safe(value), why), input->mark,
                                       name, near ? fmt::format("did you mean '{}'?", *near) : ""));
    }
    for (const auto& [name, input] : triggers.inputs) {
        if (event.inputs.contains(name))
            continue;
        if (input.default_value)
            event.inputs.emplace(name, *input.default_value);
        else if (input.required && event.kind == Event::Kind::manual)
            problems.push_back(problem("missing-input", fmt::format("input '{}' is required", name), input.mark, name,
                                       fmt::format("give it with --input {}=…", name)));
    }
    return problems;
}

} // namespace gantry::pipeline
