#pragma once

#include "pipeline/plan.hpp"
#include "pipeline/plan_env.hpp"
#include "pipeline/scope.hpp"

#include <memory>

namespace gantry::pipeline {

// make_scope() while planning: `env` is what *variables points to at the time, hashFiles() comes from the options.
// All arguments outlive the scope.
Scope make_plan_scope(const Event& event, const PlanStage& stage, const PlanOptions& options,
                      const VariableMerge* const* variables);

// The text with what `variables` have in place of each `env.NAME` whose expression is not known yet, so that it needs no
// variable any more: who stands under that name later is another one. What would get too long stays as it is.
Text with_variables(const Text& text, const VariableMerge& variables);

// What is left of an `if:` (plan.hpp tells the rules).
struct Decision {
    std::optional<Text> condition;
    std::optional<std::string> skip_reason; // "branch == 'main' does not hold: branch is 'dev'"
    std::optional<TextError> error;
};
Decision decide(const Text& condition, const Scope& scope);

} // namespace gantry::pipeline
