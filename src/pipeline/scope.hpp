#pragma once

#include "pipeline/event.hpp"
#include "pipeline/expression.hpp"
#include "pipeline/plan.hpp"

#include <map>
#include <string>

namespace gantry::pipeline {

// What a run has learnt so far, for the expressions of one stage.
struct RuntimeFacts {
    struct Step {
        std::string image;                          // that it ran, or that it built
        std::map<std::string, std::string> outputs; // lines of CI_OUTPUT
        std::string state;                          // "success", "failure", …; empty: not over
    };
    std::map<std::string, Step> steps;                          // of this stage, by id
    std::map<std::string, std::map<std::string, Step>> stages;  // of finished stages, by stage id, then by step id
    bool failed = false;     // something before this failed (allow_failure aside)
    bool cancelled = false;
};

// What names mean for this event and stage. Without `facts` (planning), steps.* and the status functions are not known yet.
// The arguments outlive the scope.
Scope make_scope(const Event& event, const PlanStage& stage, const RuntimeFacts* facts = nullptr);

} // namespace gantry::pipeline
