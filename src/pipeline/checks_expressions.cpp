#include "pipeline/checks_internal.hpp"

#include "pipeline/checks_names.hpp"
#include "pipeline/expression_tree.hpp"
#include "pipeline/plan_texts.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <unordered_map>

namespace gantry::pipeline {

namespace {

// Whether the argument after `options` is a script: sh -c "…".
bool takes_script(const std::vector<Text>& words, std::size_t index)
{
    if (index == 0 || !words[index - 1].is_literal())
        return false;
    const auto option = words[index - 1].literal();
    return option.size() > 1 && option[0] == '-' && option[1] != '-' && option.ends_with('c');
}

class ExpressionChecker {
public:
    ExpressionChecker(const Definition& definition, const StageGraph& graph, Diagnostics& out)
        : definition_(definition), names_(definition, graph), out_(out)
    {
    }

    void check_all()
    {
        NameContext top;
        top.what = "the pipeline";
        check_env(definition_.env, top, "env", taints_.pipeline);
        check_texts(definition_.defaults.container, top, "defaults", taints_.pipeline);
        if (definition_.concurrency)
            check_text(definition_.concurrency->group, top, [] { return std::string("concurrency.group"); });
        for (std::size_t i = 0; i < definition_.stages.size(); ++i)
            check_stage(i);
    }

private:
    // Variables whose value an outsider controls, by level; false: known to be clean.
    struct Taints {
        std::unordered_map<std::string, bool> pipeline, stage, step;
        const Stage* of = nullptr;
    };

    void check_stage(std::size_t index)
    {
        const auto& stage = definition_.stages[index];
        const auto path = fmt::format("stages[{}]", index);
        names_.enter_stage(index);
        taints_.stage.clear();
        taints_.of = &stage;
        NameContext context;
        context.stage = &stage;
        context.what = fmt::format("stage '{}'", terminal_safe(stage.name));
        context.fallback = stage.mark;
        context.visible = NameContext::Steps::of_needed_stages;

        if (stage.matrix) {
            NameContext early = context;
            early.visible = NameContext::Steps::none;
            for (const auto& [axis, values] : stage.matrix->axes)
                for (const auto& value : values)
                    check_text(value, early, [&, &name = axis] { return path + ".matrix." + name; });
        }
        if (stage.condition)
            check_condition(*stage.condition, context, path + ".if");
        check_texts(stage.container, context, path, taints_.stage);
        check_parts(stage, context, path);
        for (const auto& placed : placed_steps(stage))
            check_step(index, placed);
        taints_.of = nullptr;
        taints_.stage.clear();
    }

    void check_parts(const Stage& stage, const NameContext& context, const std::string& path)
    {
        for (const auto& [label, value] : stage.runs_on)
            check_text(value, context, [&] { return path + ".runs_on"; });
        check_list(stage.services, context, path + ".services");
        check_list(stage.caches, context, path + ".caches");
        if (stage.approval)
            check_part(*stage.approval, context, path + ".approval");
        if (stage.concurrency)
            check_part(*stage.concurrency, context, path + ".concurrency");
        if (!stage.artifacts)
            return;
        NameContext late = context;
        late.visible = NameContext::Steps::all;
        check_part(*stage.artifacts, late, path + ".artifacts");
    }

    void check_step(std::size_t stage, const PlacedStep& placed)
    {
        const auto& step = *placed.step;
        NameContext context;
        context.stage = &definition_.stages[stage];
        context.step = &placed;
        context.what = fmt::format("step '{}'", terminal_safe(placed.id));
        context.fallback = step.mark;
        context.visible = NameContext::Steps::earlier;
        const auto path = path_of(stage, placed);
        note_taints(step.container.environment, taints_.step);
        if (step.condition)
            check_condition(*step.condition, context, path + ".if");
        check_part(step.container, context, path);
        if (step.run)
            check_script(*step.run, context, path + ".run");
        check_words(step.container.command, context, path + ".command");
        check_words(step.container.entrypoint, context, path + ".entrypoint");
        for (const auto& [key, value] : step.settings)
            check_text(value, context, [&, &name = key] { return path + ".settings." + name; });
        if (step.build) {
            check_part(*step.build, context, path + ".build");
            if (step.build->dockerfile_inline)
                check_outsiders(*step.build->dockerfile_inline, context, path + ".build.dockerfile_inline");
        }
        if (step.push)
            check_part(*step.push, context, path + ".push");
        taints_.step.clear();
    }

    // ---- texts

    template <typename T>
    void check_part(const T& part, const NameContext& context, const std::string& path)
    {
        TextWalker walker([&](const Text& text, const auto& self) {
            check_text(text, context, [&] { return path + "." + self.path(); });
        });
        walker.whole(part);
    }

    template <typename T>
    void check_list(const std::vector<T>& list, const NameContext& context, const std::string& path)
    {
        for (std::size_t i = 0; i < list.size(); ++i)
            check_part(list[i], context, fmt::format("{}[{}]", path, i));
    }

    // A container whose variables others inherit.
    void check_texts(const Container& container, const NameContext& context, const std::string& path,
                     std::unordered_map<std::string, bool>& taints)
    {
        check_part(container, context, path);
        note_taints(container.environment, taints);
    }

    void check_env(const EnvMap& env, const NameContext& context, const std::string& path,
                   std::unordered_map<std::string, bool>& taints)
    {
        for (const auto& [key, value] : env)
            check_text(value, context, [&, &name = key] { return path + "." + name; });
        note_taints(env, taints);
    }

    void check_script(const Text& script, const NameContext& context, const std::string& path)
    {
        check_text(script, context, [&] { return path; });
        check_outsiders(script, context, path);
    }

    void check_words(const std::optional<std::vector<Text>>& words, const NameContext& context, const std::string& path)
    {
        for (std::size_t i = 0; words && i < words->size(); ++i)
            if (takes_script(*words, i))
                check_outsiders((*words)[i], context, fmt::format("{}[{}]", path, i));
    }

    template <typename Path>
    void check_text(const Text& text, const NameContext& context, Path path)
    {
        for (const auto& part : text.parts())
            if (part.is_expression)
                check_expression(part.text, part.mark, context, path);
    }

    void check_condition(const Text& condition, const NameContext& context, const std::string& path)
    {
        const auto found = condition_source(condition);
        if (found.error.empty())
            check_expression(found.source, found.mark, context, [&] { return path; });
        else
            out_.push_back(error_at(found.mark.known() ? found.mark : context.fallback, "expression", found.error, path));
    }

    template <typename Path>
    void check_expression(const std::string& source, Mark mark, const NameContext& context, Path path)
    {
        const auto parsed = parse_expression(source);
        const auto place = [&](std::size_t offset) {
            return mark.known() ? mark_within(mark, source, offset) : context.fallback;
        };
        if (!parsed.expression) {
            out_.push_back(error_at(place(parsed.offset), "expression", parsed.error, path(), parsed.hint));
            return;
        }
        for (const auto& reference : references_of(*parsed.expression))
            if (const auto problem = names_.problem_with(reference, context, out_))
                out_.push_back(error_at(place(problem->offset), problem->code, problem->message, path(), problem->hint));
        check_patterns(parsed.expression->root, place, path);
    }

    // A pattern that is written out is compiled now, rather than in the run.
    template <typename Place, typename Path>
    void check_patterns(const Node& node, const Place& place, const Path& path)
    {
        if (node.kind == Node::Kind::binary && node.text == "matches" &&
            node.children[1].kind == Node::Kind::literal) {
            Node sample = node;
            sample.children[0] = Node{};
            const auto result = evaluate(Expression(sample), {});
            if (!result.error.empty())
                out_.push_back(error_at(place(node.children[1].offset), "expression", result.error, path()));
        }
        for (const auto& child : node.children)
            check_patterns(child, place, path);
    }

    // ---- text from outside

    std::vector<Reference> carried(const Text::Part& part) const
    {
        const auto parsed = part.is_expression ? parse_expression(part.text) : ParsedExpression{};
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

    bool is_outsiders(const Reference& reference) const
    {
        const auto& path = reference.path;
        if (path[0] == "env")
            return path.size() > 1 ? is_tainted_variable(path[1]) : true;
        if (path[0] == "matrix")
            return is_tainted_axis(path.size() > 1 ? path[1] : std::string());
        return is_outsider_controlled(join(path, "."));
    }

    bool is_tainted_variable(const std::string& name) const
    {
        for (const auto* level : {&taints_.step, &taints_.stage, &taints_.pipeline})
            if (const auto found = level->find(name); found != level->end())
                return found->second;
        return false;
    }

    bool is_tainted_axis(const std::string& name) const
    {
        if (!taints_.of || !taints_.of->matrix)
            return false;
        const auto& axes = taints_.of->matrix->axes;
        return std::any_of(axes.begin(), axes.end(), [&](const auto& axis) {
            return (name.empty() || axis.first == name) &&
                   std::any_of(axis.second.begin(), axis.second.end(), [&](const Text& value) {
                       return !value.is_literal() && is_tainted(value);
                   });
        });
    }

    void note_taints(const EnvMap& env, std::unordered_map<std::string, bool>& taints)
    {
        for (const auto& [key, value] : env)
            taints[key] = !value.is_literal() && is_tainted(value);
    }

    void check_outsiders(const Text& script, const NameContext& context, const std::string& path)
    {
        for (const auto& part : script.parts())
            for (const auto& reference : carried(part))
                if (is_outsiders(reference))
                    out_.push_back(error_at(part.mark.known() ? mark_within(part.mark, part.text, reference.offsets[0])
                                                              : context.fallback,
                                            "outsider-text",
                                            fmt::format("'{}' is text from outside and would become part of the script",
                                                        join(reference.path, ".")),
                                            path, hint_for_outsiders(reference)));
    }

    const Definition& definition_;
    NameChecker names_;
    Diagnostics& out_;
    Taints taints_;
};

} // namespace

void check_expressions(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    ExpressionChecker(definition, graph, out).check_all();
}

} // namespace gantry::pipeline
