#pragma once

#include "pipeline/container.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What a pipeline file says, in any dialect. Plain values; a front-end makes them, plan.hpp resolves them.
// The language is described for users in docs/pipeline.md.

namespace gantry::pipeline {

// ---- when it runs

struct PathFilter { // "src/**", "!docs/**": the last pattern that matches a path decides
    std::vector<std::string> patterns;
    friend bool operator==(const PathFilter&, const PathFilter&) = default;
};

struct PushTrigger {
    std::vector<std::string> branches, tags; // globs; both empty: any push
    PathFilter paths;
    friend bool operator==(const PushTrigger&, const PushTrigger&) = default;
};

struct PullRequestTrigger {
    std::vector<std::string> branches; // of the target
    PathFilter paths;
    friend bool operator==(const PullRequestTrigger&, const PullRequestTrigger&) = default;
};

struct ScheduleTrigger {
    std::string cron;
    std::string timezone = "UTC";
    Mark mark;
    friend bool operator==(const ScheduleTrigger&, const ScheduleTrigger&) = default;
};

struct Input {
    enum class Type { string, boolean, number, choice } type = Type::string;
    std::string description;
    std::vector<std::string> options;
    std::optional<std::string> default_value;
    bool required = false;
    Mark mark;
    friend bool operator==(const Input&, const Input&) = default;
};

struct Triggers {
    bool declared = false; // no `on:` at all means: every push and pull request, and by hand
    std::optional<PushTrigger> push;
    std::optional<PullRequestTrigger> pull_request;
    std::vector<ScheduleTrigger> schedule;
    bool manual = false;
    std::vector<std::pair<std::string, Input>> inputs; // of manual
    friend bool operator==(const Triggers&, const Triggers&) = default;
};

struct Concurrency {
    Text group;
    int limit = 1;
    bool cancel_in_progress = false;
    Mark mark;
    friend bool operator==(const Concurrency&, const Concurrency&) = default;
};

// ---- what it runs

struct Retry {
    int max = 0; // further attempts after the first
    // Any of: "always", "infra", "failure", "timeout", "oom", … (cause names); empty: infra and failure.
    std::vector<std::string> when;
    std::vector<int> exit_codes;
    Duration backoff{0}; // before the first retry; doubles with each
    Mark mark;
    friend bool operator==(const Retry&, const Retry&) = default;
};

struct Build { // Compose's build section
    Text context = ".";
    Text dockerfile;
    std::optional<Text> dockerfile_inline;
    std::optional<Text> target;
    EnvMap args;
    std::vector<Text> tags, cache_from, cache_to;
    TextMap labels;
    std::optional<std::string> network;
    std::vector<std::string> extra_hosts, platforms, secrets, ssh;
    std::optional<bool> pull, no_cache;
    std::optional<std::uint64_t> shm_size_bytes;
    Mark mark;
    std::map<std::string, Mark> marks; // of cache_to, secrets, ssh and platforms, where the file has them
    friend bool operator==(const Build&, const Build&) = default;
};

struct Push {
    bool all_tags = false;   // push: true, beside build:
    std::vector<Text> tags;  // push: [..], or push: {tags: [..]}
    std::optional<Text> image; // push: {image: ..}: retag this one
    Mark mark;
    friend bool operator==(const Push&, const Push&) = default;
};

// Where the entries of a map stand, by their keys. As marks do, all compare equal.
struct Marks : std::map<std::string, Mark> {
    friend bool operator==(const Marks&, const Marks&) { return true; }
};

struct Step {
    std::string name; // empty: it gets one from its place
    std::optional<Text> condition; // `if:`: one expression
    Container container;
    std::optional<Text> run;                        // a script for the shell
    std::optional<std::vector<std::string>> shell;  // [sh, -ec]
    // A plugin's settings: PLUGIN_<NAME>; scalars as they are, lists joined with commas, maps as JSON.
    EnvMap settings;
    std::optional<Build> build;
    std::optional<Push> push;
    std::vector<std::pair<std::string, std::string>> secrets;      // environment name: secret name
    std::vector<std::pair<std::string, std::string>> secret_files; // path in the container: secret name
    Marks secret_marks, secret_file_marks, setting_marks;
    Mark shell_mark;
    std::optional<Retry> retry;
    std::optional<Duration> timeout, idle_timeout;
    bool allow_failure = false;
    Mark mark;
    friend bool operator==(const Step&, const Step&) = default;
};

// Steps that run side by side; most groups hold one.
struct StepGroup {
    std::vector<Step> steps;
    friend bool operator==(const StepGroup&, const StepGroup&) = default;
};

struct Cache {
    std::string name;
    Text path;
    Text key;                            // or by files:
    std::vector<std::string> key_files;  // in a plan, `key` is "<name>-<hash over them>" then
    std::vector<Text> fallback_keys;
    std::string mode = "shared";         // shared | private | locked
    std::string policy = "pull-push";    // pull | push | pull-push
    Mark mark;
    friend bool operator==(const Cache&, const Cache&) = default;
};

struct Artifacts {
    std::vector<Text> paths;
    std::vector<std::string> exclude;
    std::string when = "on_success"; // on_success | on_failure | always
    std::optional<Duration> expire_in;
    std::map<std::string, std::vector<std::string>> reports; // junit, coverage: files
    Mark mark;
    friend bool operator==(const Artifacts&, const Artifacts&) = default;
};

struct Ready { // a service's readiness where its image has no healthcheck
    std::optional<int> tcp;
    std::optional<std::string> http; // URL path with port: ":8080/health"
    std::optional<std::string> log;  // RE2
    Mark mark;
    friend bool operator==(const Ready&, const Ready&) = default;
};

// Put into a container after it was created and before it starts; never written back.
struct ContainerFile {
    Text target; // absolute path in the container: of a file, or of the folder that gets what the source folder holds
    // A file or folder of the stage's workspace, relative to its root, "." for all of it; what a Compose file binds and is not
    // there counts as an empty folder. Empty: `content` is it.
    std::string source;
    std::optional<Text> content;
    std::optional<std::uint32_t> mode;     // of a file; absent: the source's, 0444 for content
    std::optional<std::uint32_t> uid, gid; // absent: 0
    Mark mark;
    friend bool operator==(const ContainerFile&, const ContainerFile&) = default;
};

struct Service {
    std::string name;
    Container container;
    std::optional<Build> build;
    std::vector<ContainerFile> files;
    std::optional<Ready> ready;
    std::string probe; // "" | "declared"
    Mark mark;
    friend bool operator==(const Service&, const Service&) = default;
};

// One axis or one combination of a matrix; values are kept as text.
using MatrixRow = std::vector<std::pair<std::string, std::string>>;

struct Matrix {
    std::vector<std::pair<std::string, std::vector<Text>>> axes;
    std::vector<MatrixRow> include, exclude;
    Mark mark;
    friend bool operator==(const Matrix&, const Matrix&) = default;
};

struct Approval {
    Text message;
    std::vector<std::string> allowed;
    Mark mark;
    friend bool operator==(const Approval&, const Approval&) = default;
};

struct Need {
    std::string stage;
    Mark mark;
    friend bool operator==(const Need&, const Need&) = default;
};

enum class WorkspaceStart { inherit, clean };
enum class OnConflict { stop, last };

struct Workspace {
    WorkspaceStart start = WorkspaceStart::inherit;
    OnConflict on_conflict = OnConflict::stop;
    friend bool operator==(const Workspace&, const Workspace&) = default;
};

struct Stage {
    std::string name;
    std::optional<std::vector<Need>> needs; // absent: the stage above
    std::optional<Text> condition;
    std::optional<Matrix> matrix;
    Container container; // what the steps of the stage inherit
    std::optional<std::vector<std::string>> shell;
    std::vector<std::pair<std::string, Text>> runs_on;
    Mark runs_on_mark;
    std::vector<Service> services; // those of its Compose files, too
    std::vector<Cache> caches;
    std::vector<StepGroup> steps;
    std::vector<StepGroup> finally_steps;
    std::optional<Artifacts> artifacts;
    std::optional<Approval> approval;
    std::optional<Concurrency> concurrency;
    std::optional<Duration> timeout;
    std::optional<Retry> retry; // default for its steps
    bool allow_failure = false;
    Workspace workspace;
    Mark mark;
    friend bool operator==(const Stage&, const Stage&) = default;
};

// Whom a volume or network that the file declares belongs to: the run, or each stage (and each row of its matrix), so
// that stages side by side do not meet in it.
enum class DeclarationScope { run, stage };

struct VolumeDeclaration {
    std::string name; // key in the file
    std::string external_name; // `name:`
    std::string driver;
    std::map<std::string, std::string> driver_opts, labels;
    bool external = false;
    DeclarationScope scope = DeclarationScope::run;
    Mark mark;
    friend bool operator==(const VolumeDeclaration&, const VolumeDeclaration&) = default;
};

struct NetworkDeclaration {
    std::string name;
    std::string external_name;
    std::string driver;
    std::map<std::string, std::string> driver_opts, labels;
    bool internal = false, attachable = false, external = false, enable_ipv6 = false;
    struct Subnet {
        std::string subnet, gateway, ip_range;
        Marks marks; // of these keys, where the file has them
        friend bool operator==(const Subnet&, const Subnet&) = default;
    };
    std::vector<Subnet> ipam;
    DeclarationScope scope = DeclarationScope::run;
    Mark mark;
    friend bool operator==(const NetworkDeclaration&, const NetworkDeclaration&) = default;
};

struct Defaults {
    Container container;
    std::optional<std::vector<std::string>> shell;
    std::optional<Retry> retry;
    std::optional<Duration> timeout; // of a step
    friend bool operator==(const Defaults&, const Defaults&) = default;
};

struct Definition {
    std::string name;
    Triggers on;
    std::optional<Concurrency> concurrency;
    std::optional<Duration> timeout;
    EnvMap env;
    Defaults defaults;
    std::vector<VolumeDeclaration> volumes;
    std::vector<NetworkDeclaration> networks;
    std::vector<Stage> stages; // the short form, `steps:` at the top, is one stage named "main"
    friend bool operator==(const Definition&, const Definition&) = default;
};

// ---- front-ends

// Gives the text of a file of the repository, by its normalised path relative to the root; empty when there is none.
// Refuses (bad_input) paths that leave the repository. Tests hand in a map; the program reads the tree or a commit.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

struct Parsed {
    Definition definition; // what was understood
    Diagnostics diagnostics;
    Sources sources;
    bool ok() const { return !has_errors(diagnostics); }
};

} // namespace gantry::pipeline
