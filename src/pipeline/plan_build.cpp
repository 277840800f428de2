#include "pipeline/plan_build.hpp"

#include "pipeline/checks_internal.hpp"
#include "pipeline/plan_merge.hpp"
#include "pipeline/plan_texts.hpp"
#include "pipeline/shell_words.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace gantry::pipeline {

StageBuilder::StageBuilder(const Definition& definition, const Event& event, const PlanOptions& options,
                           Diagnostics& problems)
    : definition_(definition), event_(event), options_(options), problems_(problems)
{
}

void StageBuilder::count(std::size_t bytes)
{
    const bool was_full = is_full();
    bytes_ += bytes;
    if (is_full() && !was_full)
        problems_.push_back(error_at({}, "plan-too-large",
                                     fmt::format("the plan takes more than {}", format_size(k_max_plan_bytes)), ""));
}

void StageBuilder::report(const TextError& error, const std::string& path, Mark fallback)
{
    if (quiet_)
        return;
    auto problem = error_at(error.mark.known() ? error.mark : fallback, "expression", error.message, path, error.hint);
    problem.length = error.length;
    problems_.push_back(std::move(problem));
}

template <typename Path>
Text StageBuilder::value_of(const Text& text, Path path, Mark fallback)
{
    std::optional<TextError> error;
    auto result = resolve_at(text, scope_, &error);
    if (!error)
        return result;
    report(*error, path(), fallback);
    return quiet_ ? text : Text(); // said once, not again wherever the value goes
}

template <typename T>
void StageBuilder::put_values(T& part, const std::string& path, Mark fallback)
{
    TextWalker walker([&](Text& text, const auto& self) {
        if (!text.is_literal())
            text = value_of(text, [&] { return path + "." + self.path(); }, fallback);
    });
    walker.whole(part);
    count(walker.bytes);
}

template <typename Condition, typename Reason>
void StageBuilder::put_condition(const std::optional<Text>& condition, Condition& left, Reason& skip_reason,
                                 const std::string& path, Mark fallback)
{
    if (!condition)
        return;
    auto decision = decide(*condition, scope_);
    if (decision.error)
        report(*decision.error, path + ".if", fallback);
    if (decision.condition)
        left = with_variables(*decision.condition, *variables_);
    skip_reason = std::move(decision.skip_reason);
}

void StageBuilder::add_env(VariableMerge& variables, const EnvMap& env, const std::string& path, Mark fallback)
{
    variables_ = &variables;
    for (const auto& [name, value] : env)
        variables.set(name, value.is_literal() ? value : with_variables(value_of(value, [&, &n = name] { return path + "." + n; }, fallback), variables));
}

void StageBuilder::add_env_file(VariableMerge& variables, const Container& level, const EnvFileEntry& file,
                                const std::string& path, Mark fallback)
{
    const auto mark = file.mark.known() ? file.mark : mark_of(level.marks, "env_file", fallback);
    auto read = read_env_file(options_.read_file, file);
    for (auto& variable : read.variables)
        variables.set(variable.name, Text(std::move(variable.value)));
    if (auto& problem = read.problem; !problem.code.empty() && !quiet_)
        problems_.push_back(error_at(mark, problem.code, problem.message, path + ".env_file", problem.hint));
}

void StageBuilder::add_level(VariableMerge& variables, const Container& level, const std::string& path, Mark fallback)
{
    if (options_.read_file)
        for (const auto& file : level.env_file)
            add_env_file(variables, level, file, path, fallback);
    add_env(variables, level.environment, path + ".environment", fallback);
}

std::optional<Concurrency> StageBuilder::concurrency()
{
    if (!definition_.concurrency)
        return std::nullopt;
    const PlanStage nowhere;
    VariableMerge variables(options_.env);
    scope_ = make_plan_scope(event_, nowhere, options_, &variables_);
    scope_.patterns = &patterns_;
    add_env(variables, definition_.env, "env", {});
    auto result = *definition_.concurrency;
    result.group = value_of(result.group, [] { return std::string("concurrency.group"); }, result.mark);
    if (!result.group.is_literal() && problems_.empty())
        problems_.push_back(error_at(result.mark, "not-known-yet",
                                     fmt::format("'{}' is not known before the run", result.group.source()),
                                     "concurrency.group"));
    return result;
}

void StageBuilder::put_key_of_files(Cache& cache, const std::string& path)
{
    if (cache.key_files.empty() || !options_.hash_files || quiet_)
        return;
    const auto hash = options_.hash_files(cache.key_files);
    cache.key = Text(cache.name + "-" + (hash.empty() ? "none" : hash));
    if (!hash.empty())
        return;
    auto problem = error_at(cache.mark, "no-files",
                            fmt::format("no file matches the key of cache '{}'", terminal_safe(cache.name)), path + ".key",
                            "the files are those of the repository, before anything has run");
    problem.severity = Severity::warning;
    problems_.push_back(std::move(problem));
}

void StageBuilder::build_parts(const Stage& stage, const std::string& path, PlanStage& result)
{
    result.runs_on = stage.runs_on;
    for (auto& [label, value] : result.runs_on) {
        value = value_of(value, [&] { return path + ".runs_on"; }, stage.mark);
        if (!value.is_literal() && !quiet_)
            report({fmt::format("'{}' is not known before the run", value.source()), {}, value.parts()[0].mark, 1},
                   path + ".runs_on", stage.mark);
    }
    result.services = stage.services;
    for (auto& service : result.services)
        build_service(service, path + ".services." + service.name);
    result.caches = stage.caches;
    for (auto& cache : result.caches) {
        put_values(cache, path + ".caches", cache.mark);
        put_key_of_files(cache, path + ".caches");
    }
    const auto put_optional = [&](auto& to, const auto& from, const char* name) {
        to = from;
        if (to)
            put_values(*to, path + "." + name, stage.mark);
    };
    put_optional(result.artifacts, stage.artifacts, "artifacts");
    put_optional(result.approval, stage.approval, "approval");
    put_optional(result.concurrency, stage.concurrency, "concurrency");
    result.timeout = stage.timeout;
    result.allow_failure = stage.allow_failure;
    result.workspace = stage.workspace;
    result.mark = stage.mark;
}

PlanStage StageBuilder::build(const PlanUnit& unit, std::vector<std::string> needs, const Selection& selection)
{
    const auto& stage = definition_.stages[unit.stage];
    PlanStage result;
    result.id = unit.id;
    result.name = stage.name;
    result.place = static_cast<int>(unit.stage);
    result.matrix = unit.row;
    for (const auto& need : needs)
        count(sizeof need + need.size());
    result.needs = std::move(needs);

    quiet_ = false;
    variables_ = nullptr;
    scope_ = make_plan_scope(event_, result, options_, &variables_);
    scope_.patterns = &patterns_;
    of_stage_ = VariableMerge(options_.env);
    add_env(of_stage_, definition_.env, "env", {});
    add_level(of_stage_, definition_.defaults.container, "defaults", {});
    const auto path = fmt::format("stages[{}]", unit.stage);
    if (stage.condition) {
        // It sees the stage's own variables; what is wrong with those counts only when the stage runs.
        auto own = of_stage_;
        quiet_ = true;
        add_level(own, stage.container, path, stage.mark);
        quiet_ = false;
        put_condition(stage.condition, result.condition, result.skip_reason, path, stage.mark);
    }
    quiet_ = result.skip_reason.has_value();
    add_level(of_stage_, stage.container, path, stage.mark);
    build_parts(stage, path, result);

    Container inherited = definition_.defaults.container;
    overlay(inherited, stage.container);
    inherited.environment.clear();
    if (options_.read_file)
        inherited.env_file.clear();
    else if (!stage.container.env_file.empty())
        inherited.env_file = stage.container.env_file;
    std::unordered_set<std::string> ids;
    const auto steps = placed_steps(stage);
    result.steps.reserve(steps.size());
    for (const auto& placed : steps) {
        if (is_full() || !selection.has(unit.stage, placed))
            continue;
        variables_ = &of_stage_;
        quiet_ = result.skip_reason.has_value();
        build_step(stage, unit.stage, placed, inherited, result.steps.emplace_back());
        if (!ids.insert(placed.id).second)
            problems_.push_back(error_at(placed.step->mark, "duplicate-name",
                                         fmt::format("stage '{}' has another step '{}'", terminal_safe(stage.name),
                                                     terminal_safe(placed.id)),
                                         path_of(unit.stage, placed)));
    }
    variables_ = nullptr;
    return result;
}

// A service inherits nothing, and what it says of itself goes over its env_file.
void StageBuilder::build_service(Service& service, const std::string& path)
{
    put_values(service, path, service.mark);
    auto& container = service.container;
    if (!options_.read_file || container.env_file.empty())
        return;
    VariableMerge variables;
    for (const auto& file : container.env_file)
        add_env_file(variables, container, file, path, service.mark);
    for (const auto& [name, value] : container.environment)
        variables.set(name, value);
    container.environment = variables.entries();
    container.env_file.clear();
}

void StageBuilder::build_step(const Stage& stage, std::size_t index, const PlacedStep& placed,
                              const Container& inherited, PlanStep& result)
{
    const auto& step = *placed.step;
    const auto path = path_of(index, placed);
    result.id = placed.id;
    result.group = placed.group;
    result.in_finally = placed.in_finally;
    result.mark = step.mark;
    result.container = inherited;
    overlay(result.container, step.container);
    VariableMerge own;
    if (!step.container.environment.empty() || !step.container.env_file.empty()) {
        own = of_stage_;
        add_level(own, step.container, path, step.mark);
        if (!options_.read_file && !step.container.env_file.empty())
            result.container.env_file = step.container.env_file;
    }
    result.container.environment = variables_->entries();
    put_condition(step.condition, result.condition, result.skip_reason, path, step.mark);
    quiet_ = quiet_ || result.skip_reason;
    fill_step(stage, placed, result);
    auto condition = std::exchange(result.condition, std::nullopt);
    put_values(result, path, step.mark);
    result.condition = std::move(condition);
    count(sizeof result);
    variables_ = &of_stage_;
}

void StageBuilder::fill_step(const Stage& stage, const PlacedStep& placed, PlanStep& result)
{
    const auto& step = *placed.step;
    const auto& defaults = definition_.defaults;
    if (step.run) {
        const auto& shell = step.shell ? step.shell : stage.shell ? stage.shell : defaults.shell;
        result.shell = with_script_option(shell ? *shell : std::vector<std::string>{"sh"});
    }
    result.run = step.run;
    result.settings = step.settings;
    result.build = step.build;
    result.push = step.push;
    result.secrets = step.secrets;
    result.secret_files = step.secret_files;
    const auto& retry = step.retry ? step.retry : stage.retry ? stage.retry : defaults.retry;
    result.retry = retry.value_or(Retry{});
    result.timeout = step.timeout ? step.timeout : defaults.timeout;
    result.idle_timeout = step.idle_timeout;
    result.allow_failure = step.allow_failure;
}

} // namespace gantry::pipeline
