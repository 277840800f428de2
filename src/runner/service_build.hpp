#pragma once

#include "pipeline/plan.hpp"
#include "runner/attempt.hpp"

#include <string>

namespace gantry::runner {

// Builds the image of a service that has a `build`, as a step with that build would; the builder's words come first in the
// service's log. `context` is that of the stage, with the owner of the service and without a step. The image's own name, where
// the service has one, becomes a tag. Returns the image. Throws ServiceFailure. Cancelling it ends the build.
awaitable<std::string> build_service(Attempt::Parts parts, StepContext context,
                                     const pipeline::Service& service);

} // namespace gantry::runner
