#include "pipeline/scope.hpp"

#include "pipeline/expression_tree.hpp"

#include <memory>
#include <unordered_map>

namespace gantry::pipeline {

namespace {

using Steps = std::map<std::string, RuntimeFacts::Step>;

const RuntimeFacts::Step* find_in(const Steps& steps, const std::string& name)
{
    const auto found = steps.find(name);
    return found == steps.end() ? nullptr : &found->second;
}

// Stages by name or id; of the rows of one stage, the one with the asking stage's matrix values, else the first.
const Steps* find_stage(const RuntimeFacts& facts, const PlanStage& stage, const std::string& name)
{
    const auto suffix = stage.id.size() > stage.name.size() ? stage.id.substr(stage.name.size()) : std::string();
    for (const auto& id : {name, name + suffix}) {
        const auto found = facts.stages.find(id);
        if (found != facts.stages.end())
            return &found->second;
    }
    const auto row = facts.stages.lower_bound(name + "[");
    return row != facts.stages.end() && row->first.starts_with(name + "[") ? &row->second : nullptr;
}

const RuntimeFacts::Step* find_step(const RuntimeFacts& facts, const PlanStage& stage, const std::string& name)
{
    if (const auto* own = find_in(facts.steps, name))
        return own;
    for (const auto& need : stage.needs) {
        const auto found = facts.stages.find(need);
        const auto* step = found == facts.stages.end() ? nullptr : find_in(found->second, name);
        if (step)
            return step;
    }
    const auto slash = name.rfind('/');
    if (slash != std::string::npos) {
        const auto stage_name = name.substr(0, slash);
        const auto step_name = name.substr(slash + 1);
        if (stage_name == stage.name || stage_name == stage.id)
            return find_in(facts.steps, step_name);
        const auto* steps = find_stage(facts, stage, stage_name);
        return steps ? find_in(*steps, step_name) : nullptr;
    }
    for (const auto& [id, steps] : facts.stages)
        if (const auto* step = find_in(steps, name))
            return step;
    return nullptr;
}

// By the port inside: ports[80], ports['53/udp'].
Value ports_of(const std::map<std::string, std::string>& outputs)
{
    constexpr std::string_view k_usual = "/tcp";
    Object ports;
    for (const auto& [name, port] : outputs)
        if (is_port(name))
            ports.emplace(name.ends_with(k_usual) ? name.substr(0, name.size() - k_usual.size()) : name, Value(port));
    return ports;
}

Value value_of(const RuntimeFacts::Step& step)
{
    const auto digest = step.outputs.find("digest");
    Object outputs;
    for (const auto& [key, text] : step.outputs)
        if (!is_port(key))
            outputs.emplace(key, Value(text));
    return Object{{"digest", digest == step.outputs.end() ? Value() : Value(digest->second)},
                  {"image", Value(step.image)},
                  {"outputs", Value(std::move(outputs))},
                  {"ports", ports_of(step.outputs)},
                  {"state", Value(step.state)}};
}

Value service_value(const RuntimeFacts::Step& service)
{
    return Object{{"image", Value(service.image)}, {"ports", ports_of(service.outputs)}};
}

Value value_of(const std::optional<Event::PullRequest>& pull_request)
{
    if (!pull_request)
        return {};
    return Object{{"number", Value(static_cast<double>(pull_request->number))},
                  {"title", Value(pull_request->title)},
                  {"source_branch", Value(pull_request->source_branch)},
                  {"target_branch", Value(pull_request->target_branch)}};
}

Value value_of(const std::optional<std::vector<std::string>>& files)
{
    if (!files)
        return {};
    return List(files->begin(), files->end());
}

// Inputs and matrix values are kept as text; true and false are meant as such, so that `if: matrix.gpu` works.
Value typed(const std::string& text)
{
    if (text == "true" || text == "false")
        return text == "true";
    return text;
}

// The environment of a step, resolved from its first variable to its last, once.
class Environment {
public:
    Environment(const EnvMap& variables, Scope outer) : variables_(variables), outer_(std::move(outer)) {}

    std::optional<Value> find(const std::string& key)
    {
        compute();
        const auto found = values_.find(key);
        return found == values_.end() ? Value() : found->second;
    }

    std::optional<Value> all()
    {
        compute();
        Object result;
        for (const auto& [key, value] : values_) {
            if (!value)
                return std::nullopt;
            result.emplace(key, *value);
        }
        return result;
    }

private:
    void compute()
    {
        if (computed_)
            return;
        computed_ = true;
        Scope scope = outer_;
        scope.find_member = [this](const std::string& name, const std::string& key) {
            if (name != "env")
                return outer_.find_member(name, key);
            const auto found = values_.find(key);
            return found == values_.end() ? std::optional<Value>(Value()) : found->second;
        };
        std::size_t bytes = 0;
        for (const auto& [key, text] : variables_) {
            const bool fits = bytes < k_max_value_bytes;
            const auto resolved = fits ? resolve(text, scope, nullptr) : text;
            auto& value = values_[key];
            value = resolved.is_literal() ? std::optional<Value>(resolved.literal()) : std::nullopt;
            bytes += resolved.is_literal() ? std::get<std::string>(*value).size() : 0;
        }
    }

    const EnvMap& variables_;
    Scope outer_;
    bool computed_ = false;
    std::unordered_map<std::string, std::optional<Value>> values_;
};

class Names {
public:
    Names(const Event& event, const PlanStage& stage, const RuntimeFacts* facts)
        : event_(event), stage_(stage), facts_(facts)
    {
    }

    std::optional<Value> find(const std::string& name) const
    {
        if (const auto* text = find_text(name))
            return *text;
        if (name == "event")
            return std::string(to_string(event_.kind));
        if (name == "short_sha")
            return short_sha(event_);
        if (name == "pull_request")
            return value_of(event_.pull_request);
        if (name == "changed_files")
            return value_of(event_.changed_files);
        if (name == "matrix")
            return matrix();
        if (name == "inputs")
            return inputs();
        if (name == "steps" && facts_)
            return all(facts_->steps, value_of);
        if (name == "services" && facts_)
            return all(facts_->services, service_value);
        return std::nullopt;
    }

    std::optional<Value> find_member(const std::string& name, const std::string& key) const
    {
        if (name == "steps") {
            const auto* step = facts_ ? find_step(*facts_, stage_, key) : nullptr;
            return step ? std::optional(value_of(*step)) : std::nullopt;
        }
        if (name == "stage")
            return key == "id" ? Value(stage_.id) : key == "name" ? Value(stage_.name) : Value();
        if (name == "services") {
            const auto* service = facts_ ? find_in(facts_->services, key) : nullptr;
            return service ? std::optional(service_value(*service)) : std::nullopt;
        }
        if (name == "inputs") {
            const auto found = event_.inputs.find(key);
            return found == event_.inputs.end() ? Value() : typed(found->second);
        }
        return std::nullopt;
    }

    std::optional<Value> call(const std::string& function, const List& arguments) const
    {
        if (!facts_)
            return std::nullopt;
        if (function == "success")
            return !facts_->failed && !facts_->cancelled;
        if (function == "failure")
            return facts_->failed && !facts_->cancelled;
        if (function == "cancelled")
            return facts_->cancelled;
        if (function == "always")
            return true;
        if (function != "hashFiles" || !facts_->hash_files)
            return std::nullopt;
        std::vector<std::string> globs;
        for (const auto& argument : arguments)
            globs.push_back(to_text(argument));
        return facts_->hash_files(globs);
    }

private:
    const std::string* find_text(const std::string& name) const
    {
        if (name == "branch")
            return &event_.branch;
        if (name == "tag")
            return &event_.tag;
        if (name == "sha")
            return &event_.sha;
        if (name == "ref")
            return &event_.ref;
        if (name == "repo")
            return &event_.repo;
        if (name == "author")
            return &event_.author;
        if (name == "stage") // by itself: its name
            return &stage_.name;
        return name == "message" ? &event_.message : nullptr;
    }

    Value matrix() const
    {
        Object result;
        for (const auto& [key, text] : stage_.matrix)
            result.emplace(key, typed(text));
        return result;
    }

    Value inputs() const
    {
        Object result;
        for (const auto& [key, text] : event_.inputs)
            result.emplace(key, typed(text));
        return result;
    }

    static Value all(const Steps& facts, Value (*value)(const RuntimeFacts::Step&))
    {
        Object result;
        for (const auto& [id, fact] : facts)
            result.emplace(id, value(fact));
        return result;
    }

    const Event& event_;
    const PlanStage& stage_;
    const RuntimeFacts* facts_;
};

} // namespace

bool is_port(const std::string& output) { return output.find('/') != std::string::npos; }

Scope make_scope(const Event& event, const PlanStage& stage, const RuntimeFacts* facts)
{
    const Names names(event, stage, facts);
    Scope scope;
    scope.find = [names](const std::string& name) { return names.find(name); };
    scope.find_member = [names](const std::string& name, const std::string& key) {
        return names.find_member(name, key);
    };
    scope.call = [names](const std::string& function, const List& arguments) {
        return names.call(function, arguments);
    };
    return scope;
}

Scope make_scope(const Event& event, const PlanStage& stage, const PlanStep& step, const RuntimeFacts* facts)
{
    auto scope = make_scope(event, stage, facts);
    auto environment = std::make_shared<Environment>(step.container.environment, scope);
    scope.find = [environment, outer = scope.find](const std::string& name) {
        return name == "env" ? environment->all() : outer(name);
    };
    scope.find_member = [environment, outer = scope.find_member](const std::string& name, const std::string& key) {
        return name == "env" ? environment->find(key) : outer(name, key);
    };
    return scope;
}

} // namespace gantry::pipeline
