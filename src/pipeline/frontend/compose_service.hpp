#pragma once

#include "pipeline/frontend/compose_tree.hpp"

#include <span>
#include <string>
#include <vector>

namespace gantry::pipeline::native {

// A further name of a service, where it stands, and under which key of who says it.
struct FurtherName {
    std::string name;
    const Node* at;
    const char* key;
};

// One service on its way into our words.
struct ComposeService {
    ComposeWorld& world;
    const Node& file; // merged
    const Node& from; // canonical
    Node* key;        // its name
    Node* service;    // ours
    int replicas = 1;
    std::vector<FurtherName> aliases = {}; // in all of its networks; some more than once
    struct Link {
        std::string service; // who gets a further name
        FurtherName name;
    };
    std::vector<Link> links = {};
};

// What becomes of a key of a service. docs/compose.md has the same table for people; a test compares the two.
struct ComposeKey {
    enum class Fate {
        same,     // means the same in a service of ours, and is read by that table
        lowered,  // is said in other words of ours
        harmless, // changes nothing in a pipeline
        left_out, // has no effect, though somebody may count on it: a warning
        refused,  // an error, unless the value is one of `harmless_values` (separated by blanks)
    };
    const char* name;
    Fate fate;
    const char* note = ""; // of `refused` and `left_out`: what to do instead
    void (*lower)(ComposeService& service, Node& key, Node& value) = nullptr;
    const char* harmless_values = "";
};

std::span<const ComposeKey> compose_service_keys();
std::span<const ComposeKey> compose_deploy_keys();
std::span<const ComposeKey> compose_build_keys();

// An error with the nearest of the names that are known; `what` is where it stands ("build").
void report_unknown_key(Reader& reader, const Node& key, const std::vector<std::string>& known, const char* what);

// Does with each key of a map what its row says; unknown ones are errors. Rows of `same` put the pair into `to`.
void lower_keys(ComposeService& service, const Node& map, std::span<const ComposeKey> rows, const char* what, Node& to);

// Rows of compose_service_keys(); compose_service.cpp.
void lower_build(ComposeService& service, Node& key, Node& value);
void lower_container_name(ComposeService& service, Node& key, Node& value);
void lower_cpu_quota(ComposeService& service, Node& key, Node& value);
void lower_deploy(ComposeService& service, Node& key, Node& value);
void lower_env_file(ComposeService& service, Node& key, Node& value);
void lower_environment(ComposeService& service, Node& key, Node& value);
void lower_links(ComposeService& service, Node& key, Node& value);
void lower_network_mode(ComposeService& service, Node& key, Node& value);
void lower_networks(ComposeService& service, Node& key, Node& value);
void lower_pull_policy(ComposeService& service, Node& key, Node& value);
void lower_resources(ComposeService& service, Node& key, Node& value); // of deploy
void lower_restart(ComposeService& service, Node& key, Node& value);
void lower_scale(ComposeService& service, Node& key, Node& value); // and deploy.replicas

} // namespace gantry::pipeline::native
