#pragma once

#include "engine/spec.hpp"
#include "pipeline/container.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"
#include "runner/lower.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// The parts of lower.hpp that steps and services share: Compose's words for one container in the engine's words.

namespace gantry::runner {

// Computes the expressions of a text; `what` names it in an error ("working_dir").
using Resolve = std::function<std::string(const pipeline::Text& text, const std::string& what)>;

// Throws bad_input for an expression that fails, or that is not known when the container starts.
std::string compute(const pipeline::Text& text, const std::string& what, const pipeline::Scope& scope);

struct ContainerScope {
    const pipeline::Plan& plan;
    const Owner& run; // of objects that all stages share: instance and run
    const Resolve& resolve;
};

// All keys but image, environment, networks and the process itself. Throws bad_input and unsupported.
void lower_container(const pipeline::Container& container, const ContainerScope& scope, engine::ContainerSpec& spec);

std::vector<engine::Mount> lower_volumes(const pipeline::Container& container, const ContainerScope& scope);
std::vector<engine::Port> lower_ports(const std::vector<pipeline::PortMapping>& ports);
engine::Security lower_security(const pipeline::Container& container);
engine::Limits lower_limits(const pipeline::Container& container);
engine::HealthcheckSpec lower_healthcheck(const pipeline::Healthcheck& healthcheck);

// Why a container cannot be made as it is asked for.
struct Obstacle {
    std::string key;     // of the file
    std::string message;
    std::string consent; // that takes it away: "privileged"; empty: nothing does, the engine cannot do it yet
};
std::vector<Obstacle> obstacles_of(const pipeline::Container& container);
// Options of a driver can name any folder of the engine's host, or another machine's; those of a file system in memory cannot.
// What is external may be anybody's, but for what we make: a run's, a cache.
std::vector<Obstacle> obstacles_of(const pipeline::VolumeDeclaration& volume);
std::vector<Obstacle> obstacles_of(const pipeline::NetworkDeclaration& network);
std::vector<Obstacle> obstacles_of(const pipeline::Build& build);
bool consents(const Consent& consent, const std::string& what);
std::string consent_hint(const std::string& what);

// Throws unsupported or bad_input for the first that stands.
void refuse_obstacles(const pipeline::Container& container, const Consent& consent);
void refuse_obstacles(const pipeline::VolumeDeclaration& volume, const Consent& consent);
void refuse_obstacles(const pipeline::NetworkDeclaration& network, const Consent& consent);
void refuse_obstacles(const pipeline::Build& build, const Consent& consent);

// The network that a container's `networks` calls `key`; "default" is the stage's own. Throws bad_input.
std::string network_by_key(const pipeline::Plan& plan, const Owner& run, const std::string& own, const std::string& key);

// Containers of services, by name, that a container shares something with: its network, `network_mode: service:db`, or its
// volumes, `volumes_from: [db:ro]`. Throws bad_input for one that is not there.
using ServiceContainers = std::map<std::string, std::string>;
// Whether network_mode alone says where it is: none, host or a service. The spec has it then.
bool lower_network_mode(const pipeline::Container& container, const ServiceContainers& services, engine::ContainerSpec& spec);
std::vector<std::string> shared_volumes(const pipeline::Container& container, const ServiceContainers& services);

// Name without "CAP_", in capitals.
std::string capability_name(const std::string& written);

} // namespace gantry::runner
