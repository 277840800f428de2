#include "pipeline/checks_names.hpp"

#include "pipeline/checks_internal.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>

namespace gantry::pipeline {

namespace {

NameProblem problem(const Reference& reference, std::size_t element, std::string code, std::string message,
                    std::string hint = {})
{
    return {reference.offsets[std::min(element, reference.offsets.size() - 1)], std::move(code), std::move(message),
            std::move(hint)};
}

NameSet names_in_matrix(const Matrix& matrix)
{
    NameSet keys;
    for (const auto& axis : matrix.axes)
        keys.add(axis.first);
    for (const auto& entry : matrix.include)
        for (const auto& pair : entry)
            keys.add(pair.first);
    return keys;
}

bool is_text(const std::string& root)
{
    constexpr std::array<std::string_view, 9> k_texts = {"author", "branch", "event",     "message", "ref",
                                                         "repo",   "sha",    "short_sha", "tag"};
    return std::find(k_texts.begin(), k_texts.end(), root) != k_texts.end();
}

} // namespace

std::string NameContext::what() const
{
    if (step)
        return fmt::format("step '{}'", terminal_safe(step->id));
    return stage ? fmt::format("stage '{}'", terminal_safe(stage->name)) : "the pipeline";
}

std::string NameContext::path() const
{
    if (step)
        return path_of(stage_index, *step);
    return stage ? fmt::format("stages[{}]", stage_index) : std::string();
}

NameSet::NameSet(std::initializer_list<std::string_view> names)
{
    for (const auto name : names)
        add(name);
}

void NameSet::add(std::string_view name)
{
    if (set_.insert(name).second)
        list_.push_back(name);
}

NameChecker::NameChecker(const Definition& definition, const StageGraph& graph) : definition_(definition), graph_(graph)
{
    for (std::size_t i = 0; i < definition.stages.size(); ++i)
        for (const auto& placed : graph.steps[i])
            stages_of_step_[placed.id].push_back(i);
    for (const auto& input : definition.on.inputs)
        inputs_.add(input.first);
}

void NameChecker::enter_stage(std::size_t index)
{
    stage_ = index;
    own_.clear();
    for (const auto& placed : graph_.steps[index])
        own_.emplace(placed.id, &placed);
    const auto& stage = definition_.stages[index];
    services_ = {};
    for (const auto& service : stage.services)
        services_.add(service.name);
    matrix_keys_ = stage.matrix ? names_in_matrix(*stage.matrix) : NameSet();
}

const std::vector<std::string>& NameChecker::step_names()
{
    if (step_names_.empty()) {
        for (const auto& step : stages_of_step_)
            step_names_.push_back(step.first);
        std::sort(step_names_.begin(), step_names_.end());
    }
    return step_names_;
}

bool NameChecker::needs(std::size_t stage, std::size_t other)
{
    if (!needs_)
        needs_.emplace(graph_.needs);
    return needs_->has(stage, other);
}

std::optional<NameProblem> NameChecker::problem_with(const Reference& reference, const NameContext& context,
                                                     const Diagnostics& so_far)
{
    const auto& root = reference.path[0];
    if (context.of_whole_run && (root == "matrix" || root == "stage"))
        return problem(reference, 0, "unknown-name", fmt::format("'{}' is not known here: this is of the whole run", root),
                       "a stage may have its own");
    if (root == "steps")
        return problem_with_step(reference, context, so_far);
    if (root == "services")
        return problem_with_service(reference, context, so_far);
    if (reference.path.size() < 2)
        return std::nullopt;
    if (is_text(root))
        return problem(reference, 1, "expression", fmt::format("'{}' is text and has no members", root));
    if (root == "pull_request")
        return problem_with_key(reference, NameSet{"number", "title", "source_branch", "target_branch"}, "a pull request", so_far);
    if (root == "stage")
        return problem_with_key(reference, NameSet{"id", "name"}, "'stage'", so_far);
    if (root == "inputs")
        return problem_with_key(reference, inputs_, "on.manual.inputs", so_far);
    if (root == "matrix")
        return problem_with_matrix(reference, context, so_far);
    return std::nullopt;
}

std::optional<NameProblem> NameChecker::problem_with_key(const Reference& reference, const NameSet& keys, const std::string& what,
                                                         const Diagnostics& so_far) const
{
    const auto& key = reference.path[1];
    if (keys.has(key))
        return std::nullopt;
    return problem(reference, 1, "unknown-name", fmt::format("{} has no '{}'", what, terminal_safe(key)),
                   hint_from(key, so_far, [&] { return keys.list(); }));
}

std::optional<NameProblem> NameChecker::problem_with_matrix(const Reference& reference, const NameContext& context,
                                                            const Diagnostics& so_far) const
{
    if (!context.stage) // what many stages share may use what only some of them have
        return std::nullopt;
    if (!context.stage->matrix)
        return problem(reference, 0, "unknown-name",
                       fmt::format("stage '{}' has no matrix", terminal_safe(context.stage->name)));
    return problem_with_key(reference, matrix_keys_, "the matrix", so_far);
}

std::optional<NameProblem> NameChecker::problem_with_step(const Reference& reference, const NameContext& context,
                                                          const Diagnostics& so_far)
{
    if (context.visible == NameContext::Steps::none)
        return problem(reference, 0, "unknown-step",
                       fmt::format("no step has run when this part of {} is computed", context.what()));
    if (reference.path.size() < 2)
        return std::nullopt;
    constexpr std::array<std::string_view, 5> k_members = {"digest", "image", "outputs", "ports", "state"};
    if (reference.path.size() > 2 && std::find(k_members.begin(), k_members.end(), reference.path[2]) == k_members.end())
        return problem(reference, 2, "unknown-name",
                       fmt::format("a step has no '{}'", terminal_safe(reference.path[2])),
                       hint_from(reference.path[2], {k_members.begin(), k_members.end()}));
    const auto own = own_.find(reference.path[1]);
    return own == own_.end() ? problem_with_other(reference, context, so_far)
                             : problem_with_own(reference, *own->second, context);
}

std::optional<NameProblem> NameChecker::problem_with_service(const Reference& reference, const NameContext& context,
                                                             const Diagnostics& so_far) const
{
    if (!context.step)
        return problem(reference, 0, "unknown-name",
                       fmt::format("no service is ready when this part of {} is computed", context.what()),
                       "steps can use it");
    if (context.stage->services.empty())
        return problem(reference, 0, "unknown-name",
                       fmt::format("stage '{}' has no services", terminal_safe(context.stage->name)));
    if (reference.path.size() > 1)
        if (auto found = problem_with_key(reference, services_, "'services'", so_far))
            return found;
    if (reference.path.size() > 2 && reference.path[2] != "image" && reference.path[2] != "ports")
        return problem(reference, 2, "unknown-name",
                       fmt::format("a service has no '{}'", terminal_safe(reference.path[2])),
                       hint_from(reference.path[2], {"image", "ports"}));
    return std::nullopt;
}

std::optional<NameProblem> NameChecker::problem_with_own(const Reference& reference, const PlacedStep& found,
                                                         const NameContext& context) const
{
    if (context.visible == NameContext::Steps::all)
        return std::nullopt;
    if (!context.step)
        return problem(reference, 1, "later-step",
                       fmt::format("step '{}' has not run when this part of {} is computed", found.id, context.what()));
    if (found.step == context.step->step)
        return problem(reference, 1, "later-step", fmt::format("step '{}' refers to itself", found.id));
    if (found.group == context.step->group)
        return problem(reference, 1, "later-step",
                       fmt::format("step '{}' runs side by side with {}", found.id, context.what()));
    if (found.group > context.step->group)
        return problem(reference, 1, "later-step", fmt::format("step '{}' runs only after {}", found.id, context.what()));
    return std::nullopt;
}

std::optional<NameProblem> NameChecker::problem_with_other(const Reference& reference, const NameContext& context,
                                                           const Diagnostics& so_far)
{
    const auto& whole = reference.path[1];
    const auto slash = whole.rfind('/');
    const auto name = slash == std::string::npos ? whole : whole.substr(slash + 1);
    auto wanted = std::string::npos;
    if (slash != std::string::npos) {
        const auto stage = graph_.by_name.find(stage_name_of(std::string_view(whole).substr(0, slash)));
        if (stage == graph_.by_name.end())
            return problem(reference, 1, "unknown-step", fmt::format("there is no step '{}'", terminal_safe(whole)),
                           fmt::format("there is no stage '{}'", terminal_safe(whole.substr(0, slash))));
        wanted = stage->second;
        const auto own = own_.find(name);
        if (wanted == stage_ && own != own_.end())
            return problem_with_own(reference, *own->second, context);
    }
    const auto found = stages_of_step_.find(name);
    std::optional<std::size_t> not_needed;
    if (found != stages_of_step_.end())
        for (const auto stage : found->second) {
            if ((wanted != std::string::npos && stage != wanted) || stage == stage_)
                continue;
            if (needs(stage_, stage))
                return std::nullopt;
            not_needed = stage;
        }
    if (not_needed) {
        const auto other = terminal_safe(definition_.stages[*not_needed].name);
        std::string hint;
        if (so_far.size() <= 50) // as for names
            hint = needs(*not_needed, stage_) ? fmt::format("stage '{}' needs this one, so it runs later", other)
                                              : fmt::format("add needs: [{}]", other);
        return problem(reference, 1, "unknown-step",
                       fmt::format("step '{}' belongs to stage '{}', which stage '{}' does not need", terminal_safe(name),
                                   other, terminal_safe(context.stage->name)),
                       std::move(hint));
    }
    return problem(reference, 1, "unknown-step", fmt::format("there is no step '{}'", terminal_safe(whole)),
                   hint_from(name, so_far, [this]() -> const auto& { return step_names(); }));
}

std::string hint_for_outsiders(const Reference& reference, const NameContext& context)
{
    if (!context.step)
        return "put it into a variable under the service's own environment and use that, in quotes: \"$NAME\"";
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> k_variables = {{
        {"author", "CI_COMMIT_AUTHOR"},
        {"branch", "CI_COMMIT_BRANCH"},
        {"message", "CI_COMMIT_MESSAGE"},
        {"ref", "CI_COMMIT_REF"},
        {"tag", "CI_COMMIT_TAG"},
        {"pull_request.title", "CI_PULL_REQUEST_TITLE"},
        {"pull_request.source_branch", "CI_COMMIT_SOURCE_BRANCH"},
        {"pull_request.target_branch", "CI_COMMIT_TARGET_BRANCH"},
    }};
    const auto name = join(reference.path, ".");
    if (reference.path[0] == "env" && reference.path.size() > 1)
        return fmt::format("use \"${}\": the shell does not run what is in a variable", reference.path[1]);
    for (const auto& [known, variable] : k_variables)
        if (name == known || name.starts_with(std::string(known) + "."))
            return fmt::format("use \"${}\": the shell does not run what is in a variable", variable);
    return "put it into a variable under environment and use that, in quotes: \"$NAME\"";
}

} // namespace gantry::pipeline
