#include "runner/lower_environment.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "pipeline/fixed_variables.hpp"
#include "pipeline/plugin_variable.hpp"

#include <fmt/format.h>

#include <unordered_map>

namespace gantry::runner {

namespace {

class Environment {
public:
    void set(const std::string& name, std::string value)
    {
        const auto [found, is_new] = places_.emplace(name, variables_.size());
        if (is_new)
            variables_.emplace_back(name, std::move(value));
        else
            variables_[found->second].second = std::move(value);
    }

    std::vector<std::pair<std::string, std::string>> take() { return std::move(variables_); }

private:
    std::vector<std::pair<std::string, std::string>> variables_;
    std::unordered_map<std::string, std::size_t> places_;
};

} // namespace

const Secret& secret_of(const StepContext& context, const std::string& name)
{
    if (context.secrets)
        if (const auto found = context.secrets->find(name); found != context.secrets->end())
            return found->second;
    throw Error(Errc::bad_input, fmt::format("the secret '{}' is not there", terminal_safe(name)),
                fmt::format("a line {0}=… in a file for --secret-file, or GANTRY_SECRET_{0} in the environment", terminal_safe(name)));
}

std::vector<std::pair<std::string, std::string>> environment_of(const StepContext& context, const Resolve& resolve)
{
    const auto& step = *context.step;
    const auto given = ci_variables(context);
    Environment environment;
    for (const auto& [name, value] : given)
        environment.set(name, value);
    for (const auto& [name, text] : step.container.environment)
        environment.set(name, resolve(text, "environment " + name));
    for (const auto& [name, value] : context.exported)
        environment.set(name, value);
    for (const auto& [name, text] : step.settings)
        environment.set(pipeline::plugin_variable(name), resolve(text, "settings " + name));
    // Whoever can open a pull request from a fork can write any script.
    if (context.plan->event.trusted)
        for (const auto& [name, secret] : step.secrets)
            environment.set(name, secret_of(context, secret).reveal());
    for (const auto& [name, value] : given)
        if (pipeline::is_fixed_variable(name))
            environment.set(name, value);
    return environment.take();
}

} // namespace gantry::runner
