#include "pipeline/checks_internal.hpp"

#include "pipeline/glob.hpp"
#include "pipeline/matrix.hpp"
#include "pipeline/triggers.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace gantry::pipeline {

Mark mark_of(const std::map<std::string, Mark>& marks, const std::string& key, Mark fallback)
{
    const auto found = marks.find(key);
    return found != marks.end() && found->second.known() ? found->second : fallback;
}

Diagnostic error_at(Mark mark, std::string code, std::string message, std::string path, std::string hint)
{
    Diagnostic diagnostic;
    diagnostic.code = std::move(code);
    diagnostic.message = std::move(message);
    diagnostic.mark = mark;
    diagnostic.path = std::move(path);
    diagnostic.hint = std::move(hint);
    return diagnostic;
}

std::string hint_from(std::string_view word, const std::vector<std::string>& candidates)
{
    if (candidates.size() > 2000)
        return {};
    if (const auto near = nearest(word, candidates))
        return fmt::format("did you mean '{}'?", *near);
    return candidates.empty() || candidates.size() > 8 ? "" : "there is " + join(candidates, ", ");
}

std::string text_of_circle(const std::vector<std::size_t>& circle, std::string_view verb, const std::function<const std::string&(std::size_t)>& name_of)
{
    constexpr std::size_t k_most_names = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(circle.size(), k_most_names); ++i)
        text += fmt::format("{} {} ", terminal_safe(name_of(circle[i])), verb);
    if (circle.size() > k_most_names)
        text += fmt::format("… {} ", verb);
    return text + terminal_safe(name_of(circle.front()));
}

namespace {

std::vector<std::string> names_of_stages(const Definition& definition)
{
    std::vector<std::string> names;
    for (const auto& stage : definition.stages)
        names.push_back(stage.name);
    return names;
}

std::string name_problem(const std::string& name)
{
    if (name.empty())
        return "has no name";
    if (name.size() > 128)
        return "has a name of more than 128 bytes";
    for (const char c : name)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || std::string_view("/[],").find(c) != std::string_view::npos)
            return fmt::format("has '{}' in its name", terminal_safe(std::string(1, c)));
    return {};
}

// The ids of the rows of stages whose matrix is written out, each made once. Nothing for the others: those are known when the
// plan is made.
class RowsOfStages {
public:
    explicit RowsOfStages(const Definition& definition) : definition_(definition) {}

    const std::optional<std::vector<std::string>>& ids(std::size_t stage)
    {
        const auto [found, is_new] = ids_.try_emplace(stage);
        if (is_new)
            found->second = make(definition_.stages[stage]);
        return found->second;
    }

private:
    static std::optional<std::vector<std::string>> make(const Stage& stage)
    {
        Diagnostics problems;
        if (!is_written_out(*stage.matrix))
            return std::nullopt;
        const auto rows = matrix_rows(*stage.matrix, {}, "", problems);
        if (!problems.empty())
            return std::nullopt; // check_matrix() tells
        auto ids = row_ids(*stage.matrix, rows);
        for (auto& id : ids)
            id = fmt::format("{}[{}]", stage.name, id);
        return ids;
    }

    const Definition& definition_;
    std::map<std::size_t, std::optional<std::vector<std::string>>> ids_;
};

bool is_missing(const std::optional<std::vector<std::string>>& ids, const std::string& row)
{
    return ids && std::find(ids->begin(), ids->end(), row) == ids->end();
}

void check_needs(const Definition& definition, const StageGraph& graph, std::size_t index, RowsOfStages& rows, Diagnostics& out)
{
    const auto& stage = definition.stages[index];
    std::set<std::string_view> seen;
    for (std::size_t i = 0; stage.needs && i < stage.needs->size(); ++i) {
        const auto& need = (*stage.needs)[i];
        const auto path = [&] { return fmt::format("stages[{}].needs[{}]", index, i); };
        const auto found = graph.by_name.find(stage_name_of(need.stage));
        const bool is_row = found != graph.by_name.end() && stage_name_of(need.stage) != need.stage;
        if (found == graph.by_name.end())
            out.push_back(error_at(need.mark.known() ? need.mark : stage.mark, "unknown-stage",
                                   fmt::format("stage '{}' needs '{}', which does not exist",
                                               terminal_safe(stage.name), terminal_safe(need.stage)),
                                   path(), hint_from(need.stage, out, [&] { return names_of_stages(definition); })));
        else if (is_row && !definition.stages[found->second].matrix)
            out.push_back(error_at(need.mark, "unknown-stage",
                                   fmt::format("stage '{}' has no matrix", definition.stages[found->second].name),
                                   path()));
        else if (is_row && is_missing(rows.ids(found->second), need.stage))
            out.push_back(error_at(need.mark.known() ? need.mark : stage.mark, "unknown-stage",
                                   fmt::format("there is no row '{}'", terminal_safe(need.stage)), path(),
                                   hint_from(need.stage, out, [&] { return *rows.ids(found->second); })));
        else if (!seen.insert(need.stage).second)
            out.push_back(error_at(need.mark, "duplicate-need", fmt::format("'{}' is needed twice", need.stage), path()));
    }
}

void check_cycles(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    const auto& stages = definition.stages;
    for (const auto& cycle : find_cycles(graph.needs)) {
        const auto text = text_of_circle(cycle, "needs", [&](std::size_t stage) -> const std::string& { return stages[stage].name; });
        const auto& first = stages[cycle.front()];
        const bool by_default = !first.needs;
        auto mark = first.mark;
        for (const auto& need : by_default ? std::vector<Need>() : *first.needs)
            if (stage_name_of(need.stage) == stages[cycle[1 % cycle.size()]].name && need.mark.known())
                mark = need.mark;
        out.push_back(error_at(mark, "cycle", fmt::format("stages need each other in a circle: {}", text),
                               fmt::format("stages[{}].needs", cycle.front()),
                               by_default ? "a stage without 'needs' needs the one above; write needs: [] for none" : ""));
    }
}

// A group that its own run is in: with a limit of 1 the stage would wait for ever, and with more of them several runs for
// each other.
void check_groups(const Definition& definition, Diagnostics& out)
{
    const auto& whole = definition.concurrency;
    for (std::size_t i = 0; whole && whole->group.is_literal() && i < definition.stages.size(); ++i) {
        const auto& stage = definition.stages[i];
        if (stage.concurrency && stage.concurrency->group.is_literal() && stage.concurrency->group.literal() == whole->group.literal())
            out.push_back(error_at(stage.concurrency->mark.known() ? stage.concurrency->mark : stage.mark, "conflict",
                                   fmt::format("stage '{}' would wait for its own run, which has the group '{}'", terminal_safe(stage.name),
                                               terminal_safe(whole->group.literal())),
                                   fmt::format("stages[{}].concurrency", i), "leave out one of them, or give the stage a group of its own"));
    }
}

} // namespace

void check_stages(const Definition& definition, const StageGraph& graph, Diagnostics& out)
{
    if (definition.stages.empty())
        out.push_back(error_at({0, 1, 1}, "empty", "the pipeline has no stages and no steps", ""));
    RowsOfStages rows(definition);
    for (std::size_t i = 0; i < definition.stages.size(); ++i) {
        const auto& stage = definition.stages[i];
        const auto path = fmt::format("stages[{}]", i);
        const auto problem = name_problem(stage.name);
        if (!problem.empty())
            out.push_back(error_at(stage.mark, "bad-name", "a stage " + problem, path + ".name",
                                   stage.name.empty() ? "add name: …" : "letters, digits, '-', '_', '.' and spaces are fine"));
        else if (graph.by_name.at(stage.name) != i)
            out.push_back(error_at(stage.mark, "duplicate-name",
                                   fmt::format("there is another stage '{}'", stage.name), path + ".name"));
        if (stage.steps.empty())
            out.push_back(error_at(stage.mark, "empty",
                                   fmt::format("stage '{}' has no steps", terminal_safe(stage.name)), path + ".steps"));
        check_needs(definition, graph, i, rows, out);
    }
    check_cycles(definition, graph, out);
    check_groups(definition, out);
}

void check_triggers(const Triggers& triggers, Diagnostics& out)
{
    for (const auto& [name, input] : triggers.inputs) {
        const auto path = "on.manual.inputs." + name;
        if (input.type == Input::Type::choice && input.options.empty())
            out.push_back(error_at(input.mark, "wrong-input", fmt::format("input '{}' has no options to choose from", name),
                                   path, "add options: […]"));
        else if (input.default_value && !input_problem(input, *input.default_value).empty())
            out.push_back(error_at(input.mark, "wrong-input",
                                   fmt::format("the default of input '{}', '{}', {}", name,
                                               terminal_safe(*input.default_value),
                                               input_problem(input, *input.default_value)),
                                   path, hint_from(*input.default_value, input.options)));
    }
    const auto check_globs = [&](const std::vector<std::string>& globs, std::string path) {
        for (const auto& glob : globs)
            if (const auto problem = Glob(glob).problem(); !problem.empty())
                out.push_back(error_at({}, "bad-pattern", problem, path));
    };
    if (triggers.push) {
        check_globs(triggers.push->branches, "on.push.branches");
        check_globs(triggers.push->tags, "on.push.tags");
        check_globs(triggers.push->paths.patterns, "on.push.paths");
    }
    if (triggers.pull_request) {
        check_globs(triggers.pull_request->branches, "on.pull_request.branches");
        check_globs(triggers.pull_request->paths.patterns, "on.pull_request.paths");
    }
}

Diagnostics check(const Definition& definition, const Capabilities* capabilities, const ReadFile& read_file)
{
    Diagnostics out;
    const auto graph = make_stage_graph(definition);
    check_triggers(definition.on, out);
    check_stages(definition, graph, out);
    check_steps(definition, graph, out);
    check_expressions(definition, graph, out);
    if (capabilities)
        check_capabilities(definition, graph, *capabilities, out);
    if (read_file)
        check_files(definition, graph, read_file, out);
    sort_by_position(out);
    return out;
}

Diagnostics check(const Parsed& parsed, const Capabilities* capabilities, const ReadFile& read_file)
{
    auto out = check(parsed.definition, capabilities, read_file);
    if (!parsed.ok())
        drop_consequences(parsed.definition, parsed.diagnostics, out);
    out.insert(out.begin(), parsed.diagnostics.begin(), parsed.diagnostics.end());
    sort_by_position(out);
    keep_first(out);
    return out;
}

} // namespace gantry::pipeline
