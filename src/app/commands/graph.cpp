#include "app/commands/commands.hpp"

#include "app/exit_code.hpp"
#include "app/planning.hpp"
#include "app/view/view.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct GraphFlags {
    SourceFlags source;
    std::string format = "text";
};

struct FormatRow {
    const char* name;
    std::string (*render)(const pipeline::Plan&);
};
constexpr FormatRow k_formats[] = {
    {"text", [](const pipeline::Plan& plan) { return as_locale_shows(pipeline::render_graph_text(plan)); }},
    {"dot", pipeline::render_graph_dot},
    {"mermaid", pipeline::render_graph_mermaid},
};

int show_graph(Context& context, const GraphFlags& flags)
{
    for (const auto& format : k_formats) {
        if (flags.format != format.name)
            continue;
        const auto planning = plan_pipeline(context, flags.source);
        if (!planning)
            return k_exit_usage;
        context.out(format.render(planning->plan));
        return k_exit_ok;
    }
    throw Error(Errc::bad_input, "--format " + flags.format + ": there is no such format", "one of text, dot, mermaid");
}

} // namespace

void add_graph(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("graph", "Show which stage waits for which");
    const auto flags = std::make_shared<GraphFlags>();
    add_source_flags(*command, flags->source);
    command->add_option("--format", flags->format, "text (default), dot (Graphviz) or mermaid")->type_name("FORMAT");
    command->footer("Examples:\n"
                    "  gantry graph\n"
                    "  gantry graph --format dot | dot -Tsvg > pipeline.svg");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return show_graph(inner, *flags); };
    });
}

} // namespace gantry::app
