#pragma once

#include "base/secret.hpp"
#include "engine/spec.hpp"
#include "pipeline/container_path.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Plan → container specs. The only place that knows both the pipeline's words and the engine's. Pure.

namespace gantry::runner {

// Paths inside every step's container.
inline constexpr const char* k_workspace = pipeline::k_workspace_folder; // CI_WORKSPACE
inline constexpr const char* k_exchange = pipeline::k_exchange_folder;   // holds the files that CI_ENV, CI_OUTPUT, CI_STEP_SUMMARY name

// Who makes an object: becomes labels and names.
struct Owner {
    std::string instance; // of this installation's state folder
    std::string run;      // id
    std::string stage;    // id; empty for objects of the whole run
    std::string step;     // id; empty for objects of the whole stage
    int attempt = 0;
};
engine::Labels labels_of(const Owner& owner);
// "gantry-1f2e-17-build-compile-1": deterministic, valid for every engine, at most 63 bytes (also a valid host name);
// names that would be cut, changed or ambiguous get a hash. `role` tells apart objects of one owner ("upper", "net"):
// "gantry-1f2e-17-build.net".
std::string object_name(const Owner& owner, std::string_view role = {});
// Whether it can be one of these, or of the volumes of a cache, whatever installation made it.
bool is_object_name(std::string_view name);

// Volumes and networks that the file declares belong to the run, or to each stage that uses them (`scope: stage`): created
// before it, removed with it. External ones are there already and stay. `user` is whoever names one: of a stage, or of less.
std::string volume_name(const pipeline::VolumeDeclaration& volume, const Owner& user);
std::string network_name(const pipeline::NetworkDeclaration& network, const Owner& user);
// Those of the run (an owner without a stage) or of a stage; without external ones.
std::vector<engine::VolumeSpec> volumes_of(const pipeline::Plan& plan, const Owner& owner);
std::vector<engine::NetworkSpec> networks_of(const pipeline::Plan& plan, const Owner& owner);

// The operator's consent to what reaches the host: "privileged", "host-paths", "devices", "host-namespaces",
// "security-opt"; "all".
using Consent = std::set<std::string>;

struct StepContext {
    const pipeline::Plan* plan = nullptr;
    const pipeline::PlanStage* stage = nullptr;
    const pipeline::PlanStep* step = nullptr;
    Owner owner; // with step and attempt
    int run_number = 0;
    pipeline::RuntimeFacts facts;
    std::map<std::string, std::string> exported;  // lines of CI_ENV of earlier steps
    const std::map<std::string, Secret>* secrets = nullptr; // by secret name
    Consent consent;
    std::string image;                       // as resolved for this step
    std::vector<engine::Mount> mounts;       // workspace, exchange, secret files
    std::string network;                     // the stage's; empty when network_container is set
    std::string network_container;           // share this one's network
    std::map<std::string, std::string> services; // containers of the stage's services, by name
};

// The image of a step, with its expressions computed. Throws bad_input when one cannot be.
std::string image_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::PlanStep& step,
                     const pipeline::RuntimeFacts& facts);

// The name of a stage's concurrency group; the stage has one. Throws as image_of().
std::string group_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::RuntimeFacts& facts);

// Throws bad_input: an expression fails, a secret is missing, or consent is (with the flag that gives it, as the hint).
engine::ContainerSpec lower_step(const StepContext& context);

// A service in events, labels and logs, where a step has its id: "services/db".
std::string service_key(const std::string& name);

struct ServiceContext {
    const pipeline::Plan* plan = nullptr;
    const pipeline::PlanStage* stage = nullptr;
    const pipeline::Service* service = nullptr;
    Owner owner; // with service_key() as its step, and attempt
    pipeline::RuntimeFacts facts;
    Consent consent;
    std::string image;   // as resolved
    std::string network; // the stage's, where it is found under its name; empty: it has none
    std::map<std::string, std::string> services; // containers of the stage's services, by name
};
// Throws as image_of().
std::string image_of(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::Service& service,
                     const pipeline::RuntimeFacts& facts);
// Throws bad_input as lower_step() does. A service gets only the variables that it names.
engine::ContainerSpec lower_service(const ServiceContext& context);

// Files of `secret_files`, by path in the container: to be put there before it starts. Throws bad_input.
std::vector<std::pair<std::string, Secret>> secret_files_of(const StepContext& context);

// What needs consent and does not have it, and what this engine cannot do, before anything runs. Positions from the plan.
pipeline::Diagnostics check_consent(const pipeline::Plan& plan, const Consent& consent);

// CI, GANTRY, CI_* for a step (docs/variables.md lists them), in order.
std::vector<std::pair<std::string, std::string>> ci_variables(const StepContext& context);

// Parses a file named by CI_ENV or CI_OUTPUT: lines KEY=value, and KEY<<EOF … EOF. Bad lines are left out and told in
// *problems. Bounded: 1 MiB in all.
std::map<std::string, std::string> parse_exchange(std::string_view text, std::vector<std::string>* problems);

} // namespace gantry::runner
