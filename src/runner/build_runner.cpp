#include "runner/build_runner.hpp"

#include "base/format.hpp"
#include "runner/build_context.hpp"
#include "runner/carrier.hpp"

#include <fmt/format.h>

#include <utility>

namespace gantry::runner {

namespace {

constexpr auto k_push_words_interval = std::chrono::seconds(10);

// Whose fault a failure is, when the engine itself is there.
Cause otherwise(const Error& error)
{
    switch (error.code()) {
    case Errc::bad_input:
    case Errc::unsupported: return Cause::config_error;
    case Errc::not_found:
    case Errc::denied:
    case Errc::unavailable:
    case Errc::timed_out: return Cause::image_error;
    default: return Cause::internal;
    }
}

} // namespace

BuildRunner::BuildRunner(Parts parts, Request request)
    : parts_(parts), request_(std::move(request)), carrier_(object_name(request_.context.owner))
{
}

BuildRunner::~BuildRunner() = default;

awaitable<void> BuildRunner::prepare()
{
    co_return; // what it needs depends on what earlier steps leave
}

awaitable<Attempt::Result> BuildRunner::run()
{
    const auto& context = request_.context;
    const auto began = parts_.clock.now();
    std::exception_ptr failure;
    try {
        const StepKey key{context.stage->id, context.step->id, context.owner.attempt};
        output_ = std::make_unique<StepOutput>(key, parts_.writer.open_log(key), parts_.masks, parts_.clock, parts_.observers,
                                               request_.on_output);
        if (stop_requested_)
            throw Error(Errc::cancelled, "stopped before it began");
        request_.on_started();
        std::function<awaitable<void>()> body = [this]() { return work(); };
        co_await asio::co_spawn(co_await asio::this_coro::executor, body(),
                                asio::bind_cancellation_slot(cancel_.slot(), use_awaitable));
        output_->finish();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        auto failed = co_await outcome_of_failure(failure);
        failed.image = outcome_.image;
        failed.outputs = outcome_.outputs;
        outcome_ = std::move(failed);
    }
    outcome_.timings.command = parts_.clock.now() - began - outcome_.timings.start;
    outcome_.log_bytes = output_ ? output_->size_bytes() : 0;
    Result result;
    result.outcome = std::move(outcome_);
    co_return result;
}

// An engine that does not answer looks like a registry that does not.
awaitable<Outcome> BuildRunner::outcome_of_failure(std::exception_ptr failure)
{
    const auto error = to_error(failure);
    auto cause = otherwise(error);
    if (error.code() == Errc::unavailable && !stop_requested_) {
        try {
            co_await parts_.engine.probe();
        } catch (const Error&) {
            cause = Cause::engine_lost;
        }
    }
    auto outcome = outcome_of_error(error, cause);
    if (stop_requested_ && outcome.cause != Cause::disk_full)
        outcome.cause = Cause::cancelled;
    if (outcome.cause == Cause::engine_lost && outcome.hint.empty())
        outcome.hint = "the step's own result is not known; run it again: gantry rerun --failed";
    co_return outcome;
}

awaitable<void> BuildRunner::work()
{
    if (request_.context.step->build)
        co_await build();
    if (outcome_.cause != Cause::ok || !request_.context.step->push)
        co_return;
    const auto lowered = lower_push(request_.context, built_);
    co_await push(lowered);
}

void BuildRunner::say(const std::string& line)
{
    if (!line.empty())
        output_->write_now(engine::Stream::out, line);
}

awaitable<void> BuildRunner::tell(BuildLog& log, const engine::BuildEvent& event)
{
    if (event.kind == engine::BuildEvent::Kind::output) {
        say(log.on(event, parts_.clock.now()));
        co_await output_->write(event.stream, event.text);
        co_return;
    }
    auto shown = event;
    shown.text = mask_text(parts_.masks, event.text); // before the log shortens it
    say(log.on(shown, parts_.clock.now()));
}

// Those of `cache_from` that can be had. A builder with a list takes layers of these images alone, and of the first one that fits:
// what it made for this build the last time goes before them, and where nothing can be had there is no list.
awaitable<std::vector<std::string>> BuildRunner::cache_images(const engine::BuildSpec& spec)
{
    constexpr auto k_policy = engine::PullPolicy::missing;
    std::vector<std::string> images, there;
    if (spec.no_cache)
        co_return images;
    for (const auto& name : spec.cache_from)
        parts_.images.begin(name, spec.platform, k_policy);
    for (const auto& name : spec.cache_from) {
        std::exception_ptr failure;
        try {
            (void)co_await parts_.images.get(name, spec.platform, k_policy);
            there.push_back(name);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure && is_cancellation(failure))
            std::rethrow_exception(failure);
        if (failure)
            say(fmt::format("cache_from: {} is not there: {}\n", name, terminal_safe(to_error(failure).what())));
    }
    if (there.empty())
        co_return images;
    for (const auto& tag : spec.tags)
        if (const auto found = co_await parts_.engine.find_image(tag))
            images.push_back(tag);
    images.insert(images.end(), there.begin(), there.end());
    co_return images;
}

awaitable<void> BuildRunner::build()
{
    const auto began = parts_.clock.now();
    auto& request = request_.context;
    auto lowered = lower_build(request);
    built_ = lowered.spec.tags;
    auto cache = co_await cache_images(lowered.spec);
    lowered.spec.cache_from = std::move(cache);
    if (!lowered.context.empty()) {
        parts_.objects.intend(engine::ObjectKind::container, carrier_);
        auto labels = labels_of(request.owner);
        auto mounts = request.mounts;
        co_await create_carrier(parts_.engine, carrier_, std::move(labels), std::move(mounts));
    }
    BuildContext context(parts_.engine, parts_.pool, carrier_, std::move(lowered));
    co_await context.open();
    outcome_.timings.start = parts_.clock.now() - began;

    // The builder puts the labels behind the Dockerfile, or the part of it that the target needs.
    const auto labels = static_cast<int>(context.spec().labels.size());
    BuildLog log(context.dockerfile_name(), context.dockerfile_lines(), labels);
    engine::TellBuild tell_log = [&](const engine::BuildEvent& event) { return tell(log, event); };
    std::function<void(BuildContext::Sent)> sent = [&](BuildContext::Sent sum) {
        log.know_lines(context.dockerfile_lines());
        say(fmt::format("context: {}, {}\n", format_count(sum.files, "file"), format_size(sum.bytes)));
    };
    engine::BuildResult result;
    try {
        result = co_await context.build(tell_log, sent);
    } catch (Error& error) {
        if (const auto place = log.last_place(); !place.empty() && error.code() != Errc::cancelled)
            error.add_context(place);
        throw;
    }
    say(log.end(parts_.clock.now()));
    if (!result.image) {
        const auto what = fmt::format("{}: {}", log.place(result.step), terminal_safe(result.error));
        output_->write_now(engine::Stream::err, what + "\n");
        outcome_.cause = Cause::failed;
        outcome_.exit_code = result.exit_code;
        outcome_.message = what;
        outcome_.hint = hint_of_exit(result.exit_code);
        if (result.error.find("file not found in build context") != std::string::npos)
            outcome_.hint = "the context has what .dockerignore leaves of the folder that 'context' names";
        co_return;
    }
    const auto& image = *result.image;
    for (const auto& name : built_)
        parts_.images.put(name, image);
    parts_.images.put(image.id, image);
    built_id_ = image.id;
    outcome_.image = built_.empty() ? image.id : built_.front();
    say(fmt::format("image {}, {}{}\n", image.id.substr(0, 19), format_size(image.size_bytes),
                             context.spec().tags.empty() ? "" : ": " + join(context.spec().tags, ", ")));
}

awaitable<void> BuildRunner::push(const LoweredPush& push)
{
    auto image = push.image;
    if (image.empty()) {
        image = built_id_;
    } else {
        (void)co_await parts_.images.get(image, "", request_.pull);
        outcome_.image = push.names.front();
    }
    for (const auto& name : push.names)
        co_await push_one(image, name);
}

awaitable<void> BuildRunner::push_one(std::string image, std::string name)
{
    if (image != name)
        co_await parts_.engine.tag_image(image, name);
    auto next = parts_.clock.now() + k_push_words_interval;
    auto progress = [&](const engine::PushProgress& sum) {
        if (request_.on_output)
            request_.on_output();
        if (parts_.clock.now() < next)
            return;
        next = parts_.clock.now() + k_push_words_interval;
        say(fmt::format("push {}: {} of {} layers, {} of {}\n", name, sum.layers_done, sum.layers_total,
                                  format_size(sum.bytes_done), format_size(sum.bytes_total)));
    };
    const auto began = parts_.clock.now();
    const auto pushed = co_await in_context("push " + name, parts_.engine.push_image(name, std::ref(progress)));
    if (const auto found = co_await parts_.engine.find_image(name))
        parts_.images.put(name, *found);
    outcome_.outputs.emplace("digest", pushed.digest); // of the first; the others are the same image
    say(fmt::format("pushed {}@{}: {}, {} there before, {}\n", name, pushed.digest,
                             format_count(static_cast<std::uint64_t>(pushed.layers), "layer"), pushed.layers_there,
                             format_duration(parts_.clock.now() - began)));
}

void BuildRunner::stop(bool)
{
    // There is nothing to be graceful to: the builder and the registry take up where they were.
    stop_requested_ = true;
    if (request_.context.step->build)
        parts_.objects.note_broken_build();
    cancel_.emit(asio::cancellation_type::terminal);
}

awaitable<void> BuildRunner::discard()
{
    if (std::exchange(discarded_, true))
        co_return;
    try {
        co_await parts_.objects.remove(engine::ObjectKind::container, carrier_);
    } catch (const Error&) {
        discarded_ = false; // stays on the books; the run's end tries again
    }
}

} // namespace gantry::runner
