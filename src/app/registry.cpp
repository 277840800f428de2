#include "app/registry.hpp"

#include "app/commands/commands.hpp"
#include "base/clock.hpp"
#include "engine/docker/docker.hpp"
#include "engine/fake/scripted.hpp"

#include <array>

namespace gantry::app {

namespace {

std::unique_ptr<engine::Engine> make_docker_engine(Context& context)
{
    auto options = engine::docker_options_from_environment();
    options.host = context.options.engine_host;
    return engine::make_docker(context.pool(), std::move(options));
}

std::unique_ptr<engine::Engine> make_fake_engine(Context& context)
{
    return engine::make_scripted_fake(context.loop().get_executor(), system_clock());
}

const std::array k_commands{
    CommandRow{"run", add_run},
    CommandRow{"check", add_check},
    CommandRow{"plan", add_plan},
    CommandRow{"graph", add_graph},
    CommandRow{"schema", add_schema},
    CommandRow{"ps", add_ps},
    CommandRow{"top", add_top},
    CommandRow{"show", add_show},
    CommandRow{"logs", add_logs},
    CommandRow{"cancel", add_cancel},
    CommandRow{"rerun", add_rerun},
    CommandRow{"resume", add_resume},
    CommandRow{"shell", add_shell},
    CommandRow{"rm", add_rm},
    CommandRow{"artifacts", add_artifacts},
    CommandRow{"cache", add_cache},
    CommandRow{"image", add_image},
    CommandRow{"secret", add_secret},
    CommandRow{"df", add_df},
    CommandRow{"prune", add_prune},
    CommandRow{"doctor", add_doctor},
    CommandRow{"completion", add_completion},
    CommandRow{"version", add_version},
};

const std::vector<std::string> k_docker_features{"artifacts", "build", "caches", "files", "healthcheck", "networks",
                                                 "push", "scope", "services", "volumes"};

const std::array k_engines{
    EngineRow{"docker", "Docker's API, 1.41 or later; also Podman's service", make_docker_engine, k_docker_features},
    EngineRow{"fake", "plays the pipeline without containers", make_fake_engine, k_docker_features},
};

} // namespace

std::span<const CommandRow> commands()
{
    return k_commands;
}

std::span<const EngineRow> engines()
{
    return k_engines;
}

const EngineRow& engine_row(const std::string& name)
{
    for (const auto& row : k_engines)
        if (row.name == name)
            return row;
    std::string names;
    for (const auto& row : k_engines)
        names += (names.empty() ? "" : ", ") + std::string(row.name);
    throw Error(Errc::bad_input, "--engine " + name + ": there is no such engine", "one of " + names);
}

pipeline::Capabilities capabilities_of(const EngineRow& row)
{
    pipeline::Capabilities capabilities;
    capabilities.engine = row.name;
    capabilities.features.insert(row.features.begin(), row.features.end());
    capabilities.container_keys = {"*"};
    return capabilities;
}

std::string flag_of_endpoint(const std::string& endpoint)
{
    return endpoint == engine::k_fake_endpoint ? "--engine fake" : "--engine-host " + endpoint;
}

} // namespace gantry::app
