#pragma once

#include "base/async.hpp"
#include "base/secret.hpp"
#include "engine/docker/json.hpp"

#include <string>

namespace gantry::engine::docker {

// What Docker's config.json says about one registry.
struct StoredCredentials {
    std::string helper;     // ask docker-credential-<helper>, if not empty
    std::string server;     // what the helper is asked for, and what goes into the header
    Secret username, password, identity_token;
};
// Throws bad_input for an entry that cannot be read.
StoredCredentials find_credentials(const Json& config, const std::string& registry);

// The value of X-Registry-Auth for a registry; empty when the user has no credentials for it. Runs the user's
// credential helper on `pool`, for at most 30 s. Throws bad_input (config.json), denied (the helper failed).
awaitable<Secret> registry_auth(asio::thread_pool& pool, std::string config_dir, std::string registry);

// The value of X-Registry-Config for a build, which may pull from any registry: all that the user has credentials for, at most
// 64. Empty when there are none. Helpers run as for registry_auth(); registries whose helper fails are left out.
awaitable<Secret> registry_config(asio::thread_pool& pool, std::string config_dir);

} // namespace gantry::engine::docker
