#include "runner/hold.hpp"

#include "runner/lower.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gantry::runner {

namespace {

// Shells whose `read` and `exec` a held step can rely on.
bool is_known_shell(const std::vector<std::string>& shell)
{
    if (shell.empty())
        return false;
    const auto name = shell[0].substr(shell[0].rfind('/') + 1);
    return name == "sh" || name == "bash" || name == "ash" || name == "dash";
}

bool has_fixed_address(const engine::Endpoint& endpoint)
{
    return !endpoint.ipv4_address.empty() || !endpoint.ipv6_address.empty();
}

} // namespace

bool can_be_held(const pipeline::PlanStep& step, const engine::ContainerSpec& spec)
{
    // What only one container can have at a time, the one that runs now may have.
    if (!spec.ports.empty() || std::any_of(spec.endpoints.begin(), spec.endpoints.end(), has_fixed_address))
        return false;
    return step.run && is_known_shell(step.shell) && spec.entrypoint && spec.working_dir == k_workspace;
}

void hold_back(engine::ContainerSpec& spec)
{
    std::vector<std::string> command{"-c", "IFS= read -r _ && unset _ && exec \"$@\"", (*spec.entrypoint)[0]};
    command.insert(command.end(), spec.entrypoint->begin(), spec.entrypoint->end());
    if (spec.command)
        command.insert(command.end(), spec.command->begin(), spec.command->end());
    spec.entrypoint = std::vector<std::string>{(*spec.entrypoint)[0]};
    spec.command = std::move(command);
    spec.open_stdin = true;
}

} // namespace gantry::runner
