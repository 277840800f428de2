#pragma once

#include "pipeline/plan.hpp"
#include "runner/service_runner.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gantry::runner {

// The images that the services of one stage build. A build waits for no service and runs once, whoever asks first: services that
// say the same of build and container (replicas) share one.
class ServiceImages {
public:
    // Returns the image; throws ServiceFailure.
    using Build = std::function<awaitable<std::string>(const pipeline::Service&)>;

    // `services` outlive it.
    ServiceImages(const std::vector<pipeline::Service>& services, asio::any_io_executor executor, Build build);

    // The image of a service that has a build. For one without, empty: the one that it names is there, or can be had, once all
    // builds of these services that give that name have ended. Any number at a time. Throws the ServiceFailure of a build.
    // Whoever is cancelled while the build runs in its name ends the build; others that wait begin it anew.
    awaitable<std::string> of(const pipeline::Service& service);

private:
    struct Shared {
        const pipeline::Service* service; // the first of those that share it
        std::set<std::string> names;      // of the image
        bool runs = false;
        std::string image;
        std::optional<ServiceFailure> failure;
    };
    awaitable<void> finish(Shared& shared);

    Build build_;
    Signal changed_;
    std::vector<Shared> builds_;
};

} // namespace gantry::runner
