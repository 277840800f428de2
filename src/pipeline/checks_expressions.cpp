#include "pipeline/checks_internal.hpp"

#include "pipeline/checks_names.hpp"
#include "pipeline/expression_patterns.hpp"
#include "pipeline/expression_tree.hpp"
#include "pipeline/plan_texts.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace gantry::pipeline {

namespace {

// Programs that take a script as an argument, and the letters and the long names of the options before it: bash -ec "…".
struct Interpreter {
    std::string_view name, letters;
    std::vector<std::string_view> long_names = {};
    bool starts_others = false; // so that behind it stands what may be the script of another
};
const Interpreter k_interpreters[] = {
    {"sh", "c"},      {"bash", "c"},  {"dash", "c"}, {"ash", "c"},  {"zsh", "c"},
    {"ksh", "c"},     {"fish", "c", {"--command"}},  {"python", "c"},             {"python3", "c"},
    {"perl", "eE"},   {"ruby", "e"},  {"node", "ep", {"--eval", "--print"}},      {"php", "r", {"--run"}},
    {"pwsh", "c", {"-Command", "-command"}},         {"env", "S", {}, true},
};

using Words = std::vector<const Text*>;

const Interpreter* interpreter_of(const Words& words)
{
    if (words.empty() || !words[0]->is_literal())
        return nullptr;
    const auto path = words[0]->literal();
    const auto name = std::string_view(path).substr(path.rfind('/') + 1);
    const auto* const found = std::find_if(std::begin(k_interpreters), std::end(k_interpreters), [&](const Interpreter& row) { return row.name == name; });
    return found == std::end(k_interpreters) ? nullptr : found;
}

bool is_option(const Text& word)
{
    if (!word.is_literal())
        return false;
    const auto text = word.literal();
    return text.size() > 1 && text[0] == '-' && text[1] != '-';
}

bool is_long_option(const Text& word) { return word.is_literal() && word.literal().starts_with("--"); }

bool announces_script(const Text& word, const Interpreter& interpreter)
{
    if (!word.is_literal())
        return false;
    const auto text = word.literal();
    return (is_option(word) && text.find_first_of(interpreter.letters, 1) != std::string::npos) ||
           std::ranges::find(interpreter.long_names, text) != interpreter.long_names.end();
}

// Of a program that we do not know "-c" alone says so, or what ends with it. "--" ends the options, and not what "-c" began.
bool takes_script(const Words& words, std::size_t index)
{
    auto before = index;
    if (before > 0 && words[before - 1]->is_literal() && words[before - 1]->literal() == "--")
        --before;
    const auto* const interpreter = interpreter_of(words);
    if ((!interpreter || interpreter->starts_others) && before > 0 && is_option(*words[before - 1]) &&
        words[before - 1]->literal().ends_with('c'))
        return true;
    if (!interpreter || is_option(*words[index]) || is_long_option(*words[index]))
        return false;
    for (; before > 1 && (is_option(*words[before - 1]) || is_long_option(*words[before - 1])); --before)
        if (announces_script(*words[before - 1], *interpreter))
            return true;
    return false;
}

class ExpressionChecker {
public:
    ExpressionChecker(const Definition& definition, const StageGraph& graph, Diagnostics& out)
        : definition_(definition), graph_(graph), names_(definition, graph), out_(out)
    {
    }

    void check_all()
    {
        NameContext top;
        check_env(definition_.env, top, taints_.pipeline);
        check_inherited(definition_.defaults.container, top, "defaults", taints_.pipeline);
        top.of_whole_run = true;
        if (definition_.concurrency)
            check_text(definition_.concurrency->group, top, [] { return "concurrency.group"; });
        for (const auto i : stages_in_order())
            check_stage(i);
    }

private:
    // Those that a stage needs come before it: what their images are made of is known by then.
    std::vector<std::size_t> stages_in_order() const
    {
        const auto& needs = graph_.needs;
        std::vector<std::size_t> order, open, next(needs.size(), 0);
        std::vector<bool> seen(needs.size(), false);
        for (std::size_t first = 0; first < needs.size(); ++first) {
            if (!seen[first])
                open.push_back(first);
            seen[first] = true;
            while (!open.empty()) {
                const auto stage = open.back();
                if (next[stage] == needs[stage].size()) {
                    order.push_back(stage);
                    open.pop_back();
                } else if (const auto need = needs[stage][next[stage]++]; !seen[need]) {
                    seen[need] = true;
                    open.push_back(need);
                }
            }
        }
        return order;
    }

    // Variables whose value an outsider controls, by level; false: known to be clean. And whose image's name.
    struct Taints {
        std::unordered_map<std::string, bool> pipeline, stage, step;
        std::unordered_set<std::string> axes; // of the stage's matrix
        std::unordered_set<std::string> service_images; // of the stage, by name
        std::unordered_map<std::string, std::vector<std::size_t>> step_images; // by id: the stages where it is so
    };

    void check_stage(std::size_t index)
    {
        const auto& stage = definition_.stages[index];
        names_.enter_stage(index);
        NameContext context;
        context.stage = &stage;
        context.stage_index = index;
        context.fallback = stage.mark;
        context.visible = NameContext::Steps::of_needed_stages;

        if (stage.matrix) {
            NameContext early = context;
            early.visible = NameContext::Steps::none;
            for (const auto& [axis, values] : stage.matrix->axes)
                for (const auto& value : values)
                    check_text(value, early, [&, &name = axis] { return ".matrix." + name; });
            for (const auto& [axis, values] : stage.matrix->axes)
                if (is_tainted(values))
                    taints_.axes.insert(axis);
        }
        if (stage.condition)
            check_condition(*stage.condition, context);
        check_inherited(stage.container, context, "", taints_.stage);
        check_parts(stage, context);
        for (std::size_t i = 0; i < stage.services.size(); ++i)
            check_service(stage.services[i], context, fmt::format(".services[{}]", i));
        for (const auto& placed : graph_.steps[index])
            check_step(index, placed);
        taints_.stage.clear();
        taints_.axes.clear();
        taints_.service_images.clear();
    }

    void check_parts(const Stage& stage, const NameContext& context)
    {
        for (const auto& [label, value] : stage.runs_on)
            check_text(value, context, [] { return ".runs_on"; });
        check_list(stage.services, context, ".services");
        check_list(stage.caches, context, ".caches");
        if (stage.approval)
            check_part(*stage.approval, context, ".approval");
        if (stage.concurrency)
            check_part(*stage.concurrency, context, ".concurrency");
        if (!stage.artifacts)
            return;
        NameContext late = context;
        late.visible = NameContext::Steps::all;
        check_part(*stage.artifacts, late, ".artifacts");
    }

    void check_service(const Service& service, const NameContext& context, const std::string& below)
    {
        if (is_tainted(service.container.image) || (service.build && is_tainted(service.build->tags)))
            taints_.service_images.insert(service.name);
        // Its expressions see the variables of its stage, not its own.
        check_program({&service.container}, context, below);
        if (service.build && service.build->dockerfile_inline)
            check_outsiders(*service.build->dockerfile_inline, context, below + ".build.dockerfile_inline");
    }

    void check_step(std::size_t stage, const PlacedStep& placed)
    {
        const auto& step = *placed.step;
        NameContext context;
        context.stage = &definition_.stages[stage];
        context.stage_index = stage;
        context.step = &placed;
        context.fallback = step.mark;
        context.visible = NameContext::Steps::earlier;
        note_taints(step.container.environment, taints_.step);
        if (step.condition)
            check_condition(*step.condition, context);
        check_part(step.container, context, "");
        if (step.run)
            check_script(*step.run, context, ".run");
        else
            check_program({&step.container, &definition_.stages[stage].container, &definition_.defaults.container}, context, "");
        for (const auto& [key, value] : step.settings)
            check_text(value, context, [&, &name = key] { return ".settings." + name; });
        if (step.build) {
            check_part(*step.build, context, ".build");
            if (step.build->dockerfile_inline)
                check_outsiders(*step.build->dockerfile_inline, context, ".build.dockerfile_inline");
        }
        if (step.push)
            check_part(*step.push, context, ".push");
        if (has_tainted_image(step, definition_.stages[stage]))
            taints_.step_images[placed.id].push_back(stage);
        taints_.step.clear();
    }

    // ---- texts

    // The same few expressions stand in many steps. The result is good until the next call.
    const ParsedExpression& parse(const std::string& source) const
    {
        if (parsed_.size() > 1000)
            parsed_.clear();
        const auto [found, is_new] = parsed_.try_emplace(source);
        if (is_new)
            found->second = parse_expression(source);
        return found->second;
    }

    template <typename T>
    void check_part(const T& part, const NameContext& context, std::string_view below)
    {
        TextWalker walker([&](const Text& text, const auto& self) {
            check_text(text, context, [&] { return std::string(below) + "." + self.path(); });
        });
        walker.whole(part);
    }

    template <typename T>
    void check_list(const std::vector<T>& list, const NameContext& context, std::string_view below)
    {
        for (std::size_t i = 0; i < list.size(); ++i)
            check_part(list[i], context, fmt::format("{}[{}]", below, i));
    }

    // A container whose variables others inherit.
    void check_inherited(const Container& container, const NameContext& context, std::string_view below,
                         std::unordered_map<std::string, bool>& taints)
    {
        check_part(container, context, below);
        note_taints(container.environment, taints);
    }

    void check_env(const EnvMap& env, const NameContext& context, std::unordered_map<std::string, bool>& taints)
    {
        for (const auto& [key, value] : env)
            check_text(value, context, [&, &name = key] { return "env." + name; });
        note_taints(env, taints);
    }

    void check_script(const Text& script, const NameContext& context, std::string_view below)
    {
        check_text(script, context, [&] { return std::string(below); });
        check_outsiders(script, context, below);
    }

    // What a container is started with, as far as the file says. Of the levels the first that says something counts; what is
    // inherited by many is told once.
    void check_program(std::initializer_list<const Container*> levels, const NameContext& context, std::string_view below)
    {
        Words words;
        std::size_t of_entrypoint = 0;
        for (const auto part : {&Container::entrypoint, &Container::command}) {
            of_entrypoint = words.size();
            for (const auto* level : levels) {
                const auto& own = level->*part;
                if (!own)
                    continue;
                for (const auto& word : *own)
                    words.push_back(&word);
                break;
            }
        }
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (told_.contains(words[i]) || !takes_script(words, i))
                continue;
            const auto before = out_.size();
            check_outsiders(*words[i], context, i < of_entrypoint ? fmt::format("{}.entrypoint[{}]", below, i)
                                                                  : fmt::format("{}.command[{}]", below, i - of_entrypoint));
            if (out_.size() > before)
                told_.insert(words[i]);
        }
    }

    template <typename Path>
    void check_text(const Text& text, const NameContext& context, Path below)
    {
        for (const auto& part : text.parts())
            if (part.is_expression && !has_told_enough())
                check_expression(part.text, part.mark, context, [&] { return context.path() + below(); });
    }

    void check_condition(const Text& condition, const NameContext& context)
    {
        const auto found = condition_source(condition);
        if (found.error.empty())
            check_expression(found.source, found.mark, context, [&] { return context.path() + ".if"; });
        else
            out_.push_back(error_at(found.mark.known() ? found.mark : context.fallback, "expression", found.error,
                                   context.path() + ".if"));
    }

    template <typename Path>
    void check_expression(const std::string& source, Mark mark, const NameContext& context, Path path)
    {
        const auto& parsed = parse(source);
        const auto place = [&](std::size_t offset) {
            return mark.known() ? mark_within(mark, source, offset) : context.fallback;
        };
        if (!parsed.expression) {
            out_.push_back(error_at(place(parsed.offset), "expression", parsed.error, path(), parsed.hint));
            return;
        }
        for (const auto& reference : references_of(*parsed.expression))
            if (const auto problem = names_.problem_with(reference, context, out_)) {
                out_.push_back(error_at(place(problem->offset), problem->code, problem->message, path(), problem->hint));
                out_.back().about = reference.path[0];
            }
        for (auto& problem : problems_of_constants(*parsed.expression, patterns_))
            out_.push_back(error_at(place(problem.offset), "expression", std::move(problem.error), path()));
    }

    // ---- text from outside

    std::vector<Reference> carried(const Text::Part& part) const
    {
        if (!part.is_expression)
            return {};
        const auto& parsed = parse(part.text);
        return parsed.expression ? carried_by(*parsed.expression) : std::vector<Reference>();
    }

    bool is_tainted(const Text& text) const
    {
        const auto& parts = text.parts();
        return std::any_of(parts.begin(), parts.end(), [&](const Text::Part& part) {
            const auto references = carried(part);
            return std::any_of(references.begin(), references.end(),
                               [&](const Reference& reference) { return is_outsiders(reference); });
        });
    }

    bool is_tainted(const std::optional<Text>& text) const { return text && is_tainted(*text); }
    bool is_tainted(const std::vector<Text>& texts) const
    {
        return std::any_of(texts.begin(), texts.end(), [&](const Text& text) { return is_tainted(text); });
    }

    // A step that builds or pushes is known by the names that it gives.
    bool has_tainted_image(const Step& step, const Stage& stage) const
    {
        if (step.build || step.push)
            return (step.build && is_tainted(step.build->tags)) ||
                   (step.push && (is_tainted(step.push->tags) || is_tainted(step.push->image)));
        for (const auto* level : {&step.container, &stage.container, &definition_.defaults.container})
            if (level->image)
                return is_tainted(*level->image);
        return false;
    }

    bool is_outsiders(const Reference& reference) const
    {
        const auto& path = reference.path;
        if (path[0] == "env")
            return path.size() > 1 ? is_tainted_variable(path[1]) : true;
        if (path[0] == "matrix")
            return path.size() > 1 ? taints_.axes.contains(path[1]) : !taints_.axes.empty();
        if (path[0] == "stage") // its id has the row of its matrix
            return (path.size() > 1 ? path[1] == "id" : reference.is_computed) && !taints_.axes.empty();
        if (path[0] == "steps" || path[0] == "services")
            return (path.size() < 3 || path[2] == "image") && is_tainted_image(path);
        return is_outsider_controlled(join(path, "."));
    }

    // Of several stages with such a step, any counts; so does any step where the name is computed.
    bool is_tainted_image(const std::vector<std::string>& path) const
    {
        const auto& services = taints_.service_images;
        const auto& steps = taints_.step_images;
        if (path[0] == "services")
            return path.size() < 2 ? !services.empty() : services.contains(path[1]);
        if (path.size() < 2)
            return !steps.empty();
        const auto slash = path[1].rfind('/');
        const auto found = steps.find(slash == std::string::npos ? path[1] : path[1].substr(slash + 1));
        if (found == steps.end() || slash == std::string::npos)
            return found != steps.end();
        const auto stage = stage_name_of(std::string_view(path[1]).substr(0, slash));
        return std::any_of(found->second.begin(), found->second.end(),
                           [&](std::size_t index) { return definition_.stages[index].name == stage; });
    }

    bool is_tainted_variable(const std::string& name) const
    {
        for (const auto* level : {&taints_.step, &taints_.stage, &taints_.pipeline})
            if (const auto found = level->find(name); found != level->end())
                return found->second;
        return false;
    }

    void note_taints(const EnvMap& env, std::unordered_map<std::string, bool>& taints)
    {
        for (const auto& [key, value] : env)
            taints[key] = !value.is_literal() && is_tainted(value);
    }

    void check_outsiders(const Text& script, const NameContext& context, std::string_view below)
    {
        for (const auto& part : script.parts())
            for (const auto& reference : carried(part))
                if (is_outsiders(reference) && !has_told_enough())
                    out_.push_back(error_at(part.mark.known() ? mark_within(part.mark, part.text, reference.offsets[0])
                                                              : context.fallback,
                                            "outsider-text",
                                            fmt::format("'{}' is text from outside and would become part of the script",
                                                        join(reference.path, ".")),
                                            context.path() + std::string(below), hint_for_outsiders(reference, context)));
    }

    // Nobody sees them all (keep_first()), but what follows from others is dropped before.
    bool has_told_enough() const { return out_.size() >= 100 * k_max_diagnostics; }

    const Definition& definition_;
    const StageGraph& graph_;
    NameChecker names_;
    Patterns patterns_{k_max_check_pattern_work};
    Diagnostics& out_;
    Taints taints_;
    std::unordered_set<const Text*> told_; // words that many containers inherit
    mutable std::unordered_map<std::string, ParsedExpression> parsed_;
};

} // namespace

void check_expressions(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    ExpressionChecker(definition, graph, out).check_all();
}

} // namespace gantry::pipeline
