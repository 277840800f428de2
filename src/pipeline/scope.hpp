#pragma once

#include "pipeline/event.hpp"
#include "pipeline/expression.hpp"
#include "pipeline/plan.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gantry::pipeline {

// What a run has learnt so far, for the expressions of one stage.
struct RuntimeFacts {
    struct Step {
        std::string image;                          // that it ran, or that it built
        // Lines of CI_OUTPUT; after a push its "digest"; for each published port, "80/tcp", that of the host (is_port()).
        std::map<std::string, std::string> outputs;
        std::string state;                          // "success", "failure", …; empty: not over
    };
    std::map<std::string, Step> steps;                          // of this stage, by id
    std::map<std::string, Step> services;                       // of this stage, by name; from when they are ready
    std::map<std::string, std::map<std::string, Step>> stages;  // of finished stages, by stage id, then by step id
    bool failed = false;     // something before this failed (allow_failure aside)
    bool cancelled = false;
    std::function<std::string(const std::vector<std::string>& globs)> hash_files; // absent: hashFiles() stays unknown
};

// Whether that output is a port that the engine has published: no line of CI_OUTPUT can have such a name.
bool is_port(const std::string& output);

// What names mean for this event and stage. Without `facts` (planning), steps.* and the status functions are not known
// yet; with them, only steps that `facts` does not have. `steps.unit` is looked for in this stage, then in those that it
// needs; `steps['build/unit']` in the stage of that name or id, of several rows the one with this stage's own values.
// `services.db` is one of this stage. `stage` is its name, `stage.id` the name with this row's values.
// changed_files is null when it is not known. `env` is not known without a step.
// The arguments outlive the scope.
Scope make_scope(const Event& event, const PlanStage& stage, const RuntimeFacts* facts = nullptr);
// With the step's environment as `env`; a variable may use those above it. In a plan it hardly does: with_variables().
Scope make_scope(const Event& event, const PlanStage& stage, const PlanStep& step, const RuntimeFacts* facts = nullptr);

} // namespace gantry::pipeline
