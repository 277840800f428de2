#include "app/planning.hpp"

#include "app/registry.hpp"
#include "app/view/view.hpp"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace gantry::app {

namespace fs = std::filesystem;

pipeline::Sources sources_from_here(const LoadedPipeline& loaded)
{
    auto sources = loaded.parsed.sources;
    std::error_code failure;
    const auto folder = fs::weakly_canonical(loaded.snapshot.folder, failure);
    const auto here = folder.lexically_relative(fs::current_path(failure));
    if (failure || here.empty())
        return sources;
    for (auto& source : sources) {
        const auto relative = (here / source.path).lexically_normal().string();
        const auto absolute = (folder / source.path).lexically_normal().string();
        source.path = relative.size() <= absolute.size() ? relative : absolute;
    }
    return sources;
}

pipeline::Diagnostics check_pipeline(Context& context, const LoadedPipeline& loaded)
{
    const auto capabilities = capabilities_of(engine_row(context.options.engine));
    return pipeline::check(loaded.parsed, &capabilities, runner::make_file_reader(loaded.snapshot));
}

void print_problems(Context& context, pipeline::Diagnostics diagnostics, const pipeline::Sources& sources)
{
    if (diagnostics.empty())
        return;
    pipeline::sort_by_position(diagnostics);
    const char* no_color = std::getenv("NO_COLOR");
    const bool colours = ::isatty(STDERR_FILENO) == 1 && !(no_color && *no_color);
    context.err(as_locale_shows(pipeline::render_text(diagnostics, sources, colours ? pipeline::Ansi::on : pipeline::Ansi::off)));
}

std::optional<Planning> plan_pipeline(Context& context, const SourceFlags& flags, const FurtherChecks& further)
{
    Planning planning;
    auto& loaded = planning.loaded;
    loaded = load_pipeline(flags);
    auto diagnostics = check_pipeline(context, loaded);
    if (!pipeline::has_errors(diagnostics)) {
        auto options = plan_options_of(flags, loaded);
        options.ignore_triggers = flags.event.empty();
        auto planned = pipeline::make_plan(loaded.parsed.definition, event_of(flags, loaded.source), options);
        const auto add = [&diagnostics](const pipeline::Diagnostics& found) {
            diagnostics.insert(diagnostics.end(), found.begin(), found.end());
        };
        add(planned.diagnostics);
        if (planned.ok() && further)
            add(further(planned.plan));
        planning.plan = std::move(planned.plan);
    }
    print_problems(context, diagnostics, sources_from_here(loaded));
    if (pipeline::has_errors(diagnostics))
        return std::nullopt;
    return planning;
}

} // namespace gantry::app
