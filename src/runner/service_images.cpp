#include "runner/service_images.hpp"

#include "base/format.hpp"
#include "base/image_reference.hpp"
#include "runner/lower_build.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace gantry::runner {

namespace {

// The builder sees the same of both.
bool is_same_build(const pipeline::Service& a, const pipeline::Service& b)
{
    return a.build == b.build && a.container == b.container;
}

} // namespace

ServiceImages::ServiceImages(const std::vector<pipeline::Service>& services, asio::any_io_executor executor, Build build)
    : build_(std::move(build)), changed_(std::move(executor))
{
    for (const auto& service : services) {
        const bool is_shared = std::any_of(builds_.begin(), builds_.end(),
                                           [&](const Shared& shared) { return is_same_build(*shared.service, service); });
        if (service.build && !is_shared)
            builds_.push_back({&service, built_names(service), false, {}, {}});
    }
}

awaitable<std::string> ServiceImages::of(const pipeline::Service& service)
{
    const auto& image = service.container.image;
    const auto name = image && image->is_literal() ? full_name(std::string(trim(image->literal()))) : std::string();
    for (auto& shared : builds_) {
        const bool is_its_own = service.build && is_same_build(*shared.service, service);
        if (is_its_own || (!service.build && shared.names.contains(name)))
            co_await finish(shared);
        if (is_its_own)
            co_return shared.image;
    }
    co_return std::string();
}

awaitable<void> ServiceImages::finish(Shared& shared)
{
    co_await changed_.wait_until([&shared] { return !shared.runs; });
    if (shared.image.empty() && !shared.failure) {
        shared.runs = true;
        std::exception_ptr cancelled;
        try {
            shared.image = co_await build_(*shared.service);
        } catch (const ServiceFailure& failure) {
            shared.failure = failure;
        } catch (...) {
            cancelled = std::current_exception();
        }
        shared.runs = false;
        changed_.notify_all();
        if (cancelled)
            std::rethrow_exception(cancelled);
    }
    if (shared.failure)
        throw ServiceFailure(*shared.failure);
}

} // namespace gantry::runner
