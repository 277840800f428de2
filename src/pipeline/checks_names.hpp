#pragma once

#include "pipeline/expression_tree.hpp"
#include "pipeline/plan_steps.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gantry::pipeline {

// Where an expression stands, as far as that decides what it may name.
struct NameContext {
    enum class Steps { none, of_needed_stages, earlier, all };
    Steps visible = Steps::none;
    const Stage* stage = nullptr; // null: outside the stages
    std::size_t stage_index = 0;
    const PlacedStep* step = nullptr;
    bool of_whole_run = false; // no stage comes to have it: what only stages have is not known
    // "step 'unit'", for messages.
    std::string what() const;
    // "stages[0].steps[1]", for positions.
    std::string path() const;
    Mark fallback;    // for texts whose own place is not known
};

struct NameProblem {
    std::size_t offset = 0;
    std::string code, message, hint;
};

// Looks up the names of expressions in a definition. The stage must be entered before its expressions are asked for.
class NameChecker {
public:
    NameChecker(const Definition& definition, const StageGraph& graph);

    void enter_stage(std::size_t index);
    std::optional<NameProblem> problem_with(const Reference& reference, const NameContext& context,
                                            const Diagnostics& so_far);

private:
    std::optional<NameProblem> problem_with_key(const Reference& reference, const std::vector<std::string>& keys,
                                                const std::string& what, const Diagnostics& so_far) const;
    std::optional<NameProblem> problem_with_matrix(const Reference& reference, const NameContext& context,
                                                   const Diagnostics& so_far) const;
    std::optional<NameProblem> problem_with_step(const Reference& reference, const NameContext& context,
                                                 const Diagnostics& so_far);
    std::optional<NameProblem> problem_with_service(const Reference& reference, const NameContext& context,
                                                    const Diagnostics& so_far) const;
    std::optional<NameProblem> problem_with_own(const Reference& reference, const PlacedStep& found,
                                                const NameContext& context) const;
    std::optional<NameProblem> problem_with_other(const Reference& reference, const NameContext& context,
                                                  const Diagnostics& so_far);
    std::unordered_set<std::size_t> needed_by(std::size_t stage) const; // transitively
    bool needs(std::size_t stage);

    const Definition& definition_;
    const StageGraph& graph_;
    std::unordered_map<std::string, std::vector<std::size_t>> stages_of_step_;
    std::vector<std::string> input_names_;
    std::size_t stage_ = 0;
    std::unordered_map<std::string_view, const PlacedStep*> own_;
    std::optional<std::unordered_set<std::size_t>> needed_; // of stage_, transitively; made when first asked for
};

// Which variable of the shell has the text: use "$CI_COMMIT_BRANCH" …
std::string hint_for_outsiders(const Reference& reference);

} // namespace gantry::pipeline
