#include "runner/service_build.hpp"

#include "base/format.hpp"
#include "runner/build_runner.hpp"
#include "runner/service_runner.hpp"

#include <memory>
#include <optional>

namespace gantry::runner {

namespace {

// What lives as long as the build, whoever waits for it.
struct ServiceBuild {
    pipeline::PlanStep step;
    std::shared_ptr<BuildRunner> runner;
    std::optional<Attempt::Result> result;
    Signal ended;

    explicit ServiceBuild(asio::any_io_executor executor) : ended(std::move(executor)) {}
};

pipeline::PlanStep step_for(const pipeline::Service& service, std::string id)
{
    pipeline::PlanStep step;
    step.id = std::move(id);
    step.build = service.build;
    step.container = service.container;
    step.container.image.reset();
    step.mark = service.mark;
    if (service.container.image)
        step.build->tags.push_back(*service.container.image);
    return step;
}

} // namespace

awaitable<std::string> build_service(Attempt::Parts parts, StepContext context, const pipeline::Service& service)
{
    const auto build = std::make_shared<ServiceBuild>(parts.background.executor());
    build->step = step_for(service, context.owner.step); // the id is the log's
    context.step = &build->step;
    context.owner.step += ".build"; // the container of the service has the other name
    Attempt::Request request;
    request.context = std::move(context);
    request.on_started = [] {};
    build->runner = std::make_shared<BuildRunner>(parts, std::move(request));
    std::function<awaitable<void>()> run = [build]() -> awaitable<void> {
        auto result = co_await build->runner->run();
        co_await build->runner->discard();
        build->result = std::move(result);
        build->ended.notify_all();
    };
    parts.background.spawn(run);

    const std::function<bool()> is_over = [build] { return build->result.has_value(); };
    std::exception_ptr cancelled;
    try {
        co_await build->ended.wait_until(is_over);
    } catch (...) {
        cancelled = std::current_exception();
    }
    if (cancelled) {
        co_await ignore_cancellation();
        build->runner->stop(true);
        co_await build->ended.wait_until(is_over);
        std::rethrow_exception(cancelled);
    }
    auto outcome = build->result->outcome;
    if (outcome.cause != Cause::ok) {
        outcome.message = "the image of service " + terminal_safe(service.name) + " was not built" +
                          (outcome.message.empty() ? "" : ": " + outcome.message);
        throw ServiceFailure{std::move(outcome)};
    }
    co_return outcome.image;
}

} // namespace gantry::runner
