#include "runner/images.hpp"

#include "base/image_reference.hpp"

#include <optional>

namespace gantry::runner {

namespace {
constexpr int k_pulls_at_a_time = 4;

// Who wants it in any case is not served by who takes the one that is there.
std::string key_of(const std::string& image, const std::string& platform, engine::PullPolicy policy)
{
    return image + '\n' + platform + '\n' + std::to_string(static_cast<int>(policy));
}

// An engine does not say of which image it speaks, and its last resort is that a person tries.
[[noreturn]] void throw_named(const std::exception_ptr& failure, const std::string& image)
{
    if (is_cancellation(failure))
        std::rethrow_exception(failure);
    auto error = to_error(failure);
    if (std::string_view(error.what()).find(image) == std::string_view::npos)
        error.add_context("image " + image);
    if (error.hint().empty())
        throw std::move(error).with_hint("see whether the engine gets it: docker pull " + image);
    throw error;
}

} // namespace

struct Images::Entry {
    explicit Entry(asio::any_io_executor executor) : done(std::move(executor)) {}

    std::string image, platform;
    engine::PullPolicy policy = engine::PullPolicy::missing;
    std::optional<Ready> ready;
    std::exception_ptr failure;
    Signal done;
};

Images::Images(engine::Engine& engine, Clock& clock, TaskGroup& tasks, Waits& waits,
               std::function<void(const engine::PullProgress&)> progress,
               std::function<void(const std::string&, const Ready&)> ready)
    : engine_(engine), clock_(clock), tasks_(tasks), waits_(waits), progress_(std::move(progress)), ready_(std::move(ready)),
      slot_freed_(std::make_shared<Signal>(tasks.executor()))
{
}

void Images::begin(const std::string& image, const std::string& platform, engine::PullPolicy policy)
{
    auto& entry = entries_[key_of(image, platform, policy)];
    if (entry)
        return;
    entry = std::make_shared<Entry>(tasks_.executor());
    entry->image = image;
    entry->platform = platform;
    entry->policy = policy;
    tasks_.spawn([this, kept = entry]() -> awaitable<void> { return fetch(kept); });
}

void Images::put(const std::string& image, engine::ImageInfo info)
{
    Ready ready;
    ready.info = std::move(info);
    made_[full_name(image)] = std::move(ready);
}

awaitable<Images::Ready> Images::get(const std::string& image, const std::string& platform, engine::PullPolicy policy)
{
    if (const auto made = made_.find(full_name(image)); made != made_.end())
        co_return made->second;
    begin(image, platform, policy);
    const auto key = key_of(image, platform, policy);
    const auto entry = entries_[key];
    co_await entry->done.wait_until([&entry] { return entry->ready || entry->failure; });
    if (entry->failure) {
        // A step that is tried again asks again.
        if (const auto found = entries_.find(key); found != entries_.end() && found->second == entry)
            entries_.erase(found);
        std::rethrow_exception(entry->failure);
    }
    co_return *entry->ready;
}

awaitable<void> Images::fetch(std::shared_ptr<Entry> entry)
{
    try {
        std::optional<engine::ImageInfo> found;
        if (entry->policy != engine::PullPolicy::always)
            found = co_await engine_.find_image(entry->image);
        Ready ready;
        if (found) {
            ready.info = std::move(*found);
        } else if (entry->policy == engine::PullPolicy::never) {
            throw Error(Errc::not_found, "image " + entry->image + " is not here and pull_policy is never",
                        "pull it first, or set pull_policy: missing");
        } else {
            while (pulling_ >= k_pulls_at_a_time)
                co_await slot_freed_->wait();
            ++pulling_;
            const auto begun = clock_.now();
            try {
                const auto pull = [&]() -> awaitable<void> {
                    ready.info = co_await engine_.pull_image(entry->image, entry->platform, progress_);
                };
                co_await waits_.during("for the image " + entry->image, pull());
            } catch (...) {
                --pulling_;
                slot_freed_->notify_all();
                throw_named(std::current_exception(), entry->image);
            }
            --pulling_;
            slot_freed_->notify_all();
            ready.pull = clock_.now() - begun;
        }
        entry->ready = std::move(ready);
        ready_(entry->image, *entry->ready);
    } catch (...) {
        entry->failure = std::current_exception();
    }
    entry->done.notify_all();
}

} // namespace gantry::runner
