#pragma once

#include "app/context.hpp"
#include "app/pipeline_source.hpp"

#include <functional>
#include <optional>

namespace gantry::app {

// The file's text with paths that lead there from where we are, so that an editor finds them.
pipeline::Sources sources_from_here(const LoadedPipeline& loaded);

// The problems of the file itself, as the chosen engine sees them; sorted.
pipeline::Diagnostics check_pipeline(Context& context, const LoadedPipeline& loaded);

// Standard error gets them as text; nothing for none.
void print_problems(Context& context, pipeline::Diagnostics diagnostics, const pipeline::Sources& sources);

struct Planning {
    LoadedPipeline loaded;
    pipeline::Plan plan;
};
using FurtherChecks = std::function<pipeline::Diagnostics(const pipeline::Plan&)>;

// Loads, checks and plans. Prints every problem at once; nothing when one of them is an error. An event that was named is
// played with its filters; by hand, what was asked for runs.
std::optional<Planning> plan_pipeline(Context& context, const SourceFlags& flags, const FurtherChecks& further = {});

} // namespace gantry::app
