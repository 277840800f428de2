#pragma once

#include "runner/single_run.hpp"

#include <chrono>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Plans with services, and their runs on the fake engine.

namespace gantry::test {

inline pipeline::Service service(const std::string& name)
{
    pipeline::Service result;
    result.name = name;
    result.container.image = pipeline::Text("postgres");
    return result;
}

inline pipeline::Service checked(pipeline::Service service)
{
    service.container.healthcheck.emplace();
    service.container.healthcheck->test = {"CMD", "check"};
    service.container.healthcheck->interval = 1s;
    service.container.healthcheck->retries = 5;
    return service;
}

inline pipeline::Service after(const std::string& other, pipeline::Condition condition, pipeline::Service service)
{
    pipeline::Dependency dependency;
    dependency.service = other;
    dependency.condition = condition;
    service.container.depends_on.push_back(dependency);
    return service;
}

inline pipeline::PlanStep step_after(const std::string& other, pipeline::Condition condition)
{
    auto result = step("one");
    result.container.depends_on = after(other, condition, {}).container.depends_on;
    return result;
}

inline pipeline::Plan plan_with(std::vector<pipeline::Service> services, std::vector<pipeline::PlanStep> steps = {step("one")})
{
    auto result = stage("a", {}, std::move(steps));
    result.services = std::move(services);
    return plan_of({std::move(result)});
}

// A run with services. What each container does is looked up by its gantry.step: "services/db", "one".
struct ServiceFixture : SingleRun {
    using Kind = runner::RunEvent::Kind;

    explicit ServiceFixture(pipeline::Plan the_plan) : SingleRun(std::move(the_plan))
    {
        engine.on_start([this](const engine::ContainerSpec& spec) {
            const auto& step = spec.labels.at("gantry.step");
            auto does = behaviours[step];
            const bool has_own = does.runs_for.count() > 0 || does.exit_code != 0 || does.oom_killed;
            does.never_ends = does.never_ends || (step.starts_with("services/") && !has_own && !ends.contains(step));
            return does;
        });
    }

    // Services and steps in the order in which they began: a step's container may be there before.
    std::vector<std::string> began() const
    {
        std::vector<std::string> names;
        for (const auto& event : process->events)
            if (event.kind == Kind::service_started || event.kind == Kind::step_started)
                names.push_back(event.step);
        return names;
    }
    // Kinds of the service's events, in their order.
    std::vector<Kind> told(const std::string& name) const
    {
        std::vector<Kind> kinds;
        for (const auto& event : process->events)
            if (event.step == "services/" + name)
                kinds.push_back(event.kind);
        return kinds;
    }

    std::chrono::nanoseconds ready_after(const std::string& name) const
    {
        for (const auto& event : process->events)
            if (event.kind == Kind::service_ready && event.step == "services/" + name)
                return event.duration;
        throw std::runtime_error("service " + name + " never got ready");
    }

    std::map<std::string, engine::FakeBehaviour> behaviours;
    std::set<std::string> ends; // services that exit 0 at once
};

} // namespace gantry::test
