#pragma once

#include "pipeline/expression_tree.hpp"
#include "pipeline/plan_steps.hpp"

#include <initializer_list>
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

// Names that may be asked for again and again, with their order, for hints. Views what it is made of.
class NameSet {
public:
    NameSet() = default;
    NameSet(std::initializer_list<std::string_view> names);

    void add(std::string_view name);
    bool has(std::string_view name) const { return set_.contains(name); }
    std::vector<std::string> list() const { return {list_.begin(), list_.end()}; }

private:
    std::unordered_set<std::string_view> set_;
    std::vector<std::string_view> list_;
};

// Looks up the names of expressions in a definition. The stage must be entered before its expressions are asked for.
class NameChecker {
public:
    NameChecker(const Definition& definition, const StageGraph& graph);

    void enter_stage(std::size_t index);
    std::optional<NameProblem> problem_with(const Reference& reference, const NameContext& context,
                                            const Diagnostics& so_far);

private:
    std::optional<NameProblem> problem_with_key(const Reference& reference, const NameSet& keys, const std::string& what,
                                                const Diagnostics& so_far) const;
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
    bool needs(std::size_t stage, std::size_t other);
    const std::vector<std::string>& step_names();

    const Definition& definition_;
    const StageGraph& graph_;
    std::unordered_map<std::string, std::vector<std::size_t>> stages_of_step_;
    std::vector<std::string> step_names_; // in order; made when first asked for
    NameSet inputs_;
    std::size_t stage_ = 0;
    std::unordered_map<std::string_view, const PlacedStep*> own_;
    NameSet services_, matrix_keys_; // of stage_
    std::optional<AllNeeds> needs_;  // made when first asked for
};

// Which variable of the shell has the text: use "$CI_COMMIT_BRANCH" … Services have none but their own.
std::string hint_for_outsiders(const Reference& reference, const NameContext& context);

} // namespace gantry::pipeline
