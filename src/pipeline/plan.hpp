#pragma once

#include "pipeline/definition.hpp"
#include "pipeline/event.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>

// A Definition, resolved for one event: matrices unrolled, inheritance applied, conditions that can be known decided.
// Immutable plain values; it is what `gantry plan` prints, what the journal keeps and what travels to an agent.

namespace gantry::pipeline {

struct PlanStep {
    std::string id;      // unique in its stage: the name, or "step-3"
    int group = 0;       // steps of one group run side by side; groups of a list run in turn, in ascending order
    bool in_finally = false;
    // What is left of `if:` after what is known has been put in. Absent: runs when everything before it passed.
    // An expression that calls none of success/failure/always/cancelled means `success() && (…)`.
    std::optional<Text> condition;
    std::optional<std::string> skip_reason; // decided already: skipped, because of this
    Container container;                    // complete: defaults, stage and step merged
    std::vector<std::string> shell;         // of run
    std::optional<Text> run;
    EnvMap settings;
    std::optional<Build> build;
    std::optional<Push> push;
    std::vector<std::pair<std::string, std::string>> secrets, secret_files;
    Retry retry;
    std::optional<Duration> timeout, idle_timeout;
    bool allow_failure = false;
    Mark mark;
    friend bool operator==(const PlanStep&, const PlanStep&) = default;
};

struct PlanStage {
    std::string id;   // "test" or "test[gcc=13,os=deb]"
    std::string name; // "test"
    MatrixRow matrix;
    std::vector<std::string> needs; // ids
    std::optional<Text> condition;
    std::optional<std::string> skip_reason;
    std::vector<std::pair<std::string, Text>> runs_on;
    std::vector<Service> services;
    std::vector<Cache> caches;
    std::vector<PlanStep> steps; // in order; those of `finally` last
    std::optional<Artifacts> artifacts;
    std::optional<Approval> approval;
    std::optional<Concurrency> concurrency;
    std::optional<Duration> timeout;
    bool allow_failure = false;
    Workspace workspace;
    int place = 0; // in the definition, from 0; rows of one matrix share it
    Mark mark;
    friend bool operator==(const PlanStage&, const PlanStage&) = default;
};

struct Plan {
    int version = 1;
    std::string pipeline; // its name, or the repository's
    Event event;
    std::optional<std::string> skip_reason; // `on:` does not match: nothing runs
    std::optional<Concurrency> concurrency;
    std::optional<Duration> timeout;
    std::vector<VolumeDeclaration> volumes;
    std::vector<NetworkDeclaration> networks;
    std::vector<PlanStage> stages; // a topological order of `needs`; equal ranks in the order of the file
    // Every secret that is asked for, and the first step that does: "build/publish".
    std::map<std::string, std::string> secrets() const;
    friend bool operator==(const Plan&, const Plan&) = default;
};

// How a step's container comes about, from the outermost level to the innermost:
// - the pipeline's defaults, then the stage, then the step: a scalar or section that is there replaces the outer one, a
//   list that is there replaces the whole outer list (also by nothing, `cap_drop: []`), labels, ulimits and sysctls are
//   merged by key;
// - variables are merged by name: the pipeline's `env`, then environment of defaults, stage and step, each over its own
//   env_file, then PlanOptions.env. A variable may use those before it as `env.NAME`.
// A step's retry is its own, the stage's or the defaults'; its timeout its own or the defaults'. Services inherit nothing.
struct PlanOptions {
    std::vector<std::string> only_stages;               // --stage: these and what they need; by name or id
    std::vector<std::string> only_steps;                // --step: "unit" or "build/unit", and the steps before it in its stage
    std::vector<std::pair<std::string, std::string>> matrix; // --matrix k=v: only these rows
    EnvMap env;                                         // --env k=v: every step, over the file's
    bool ignore_triggers = false;                       // run although `on:` does not match
    // hashFiles(glob…), and keys of caches by files: the hash over the files that match, as text, empty when none does; absent
    // in tests.
    std::function<std::string(const std::vector<std::string>& globs)> hash_files;
    // env_file: the text of a file of the repository. Absent: env_file stays in the plan's containers.
    ReadFile read_file;
};

struct Planned {
    Plan plan;
    Diagnostics diagnostics;
    bool ok() const { return !has_errors(diagnostics); }
};

// Pure. Problems: an unknown stage, step or input, a matrix over 256 rows, a condition or value that cannot be computed,
// a plan that gets too large. With errors, or when `on:` does not match, the plan has no stages.
Planned make_plan(const Definition& definition, const Event& event, const PlanOptions& options);

nlohmann::json to_json(const Plan& plan);
// Throws bad_input with the JSON pointer of what is wrong.
Plan plan_from_json(const nlohmann::json& json);

// "build › compile" lists for people; Graphviz DOT; Mermaid flowchart.
std::string render_plan(const Plan& plan);
std::string render_graph_text(const Plan& plan);
std::string render_graph_dot(const Plan& plan);
std::string render_graph_mermaid(const Plan& plan);

} // namespace gantry::pipeline
