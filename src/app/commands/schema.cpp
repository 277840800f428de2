#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "pipeline/frontend/native.hpp"

#include <CLI/CLI.hpp>

namespace gantry::app {

void add_schema(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("schema", "Print the JSON Schema of pipeline files");
    command->footer("Editors check and complete .gantry.yml with it. JSON Schema 2020-12, made from\n"
                    "the table of keys that the parser uses.\n\n"
                    "Examples:\n"
                    "  gantry schema > gantry.schema.json\n"
                    "  # yaml-language-server: $schema=gantry.schema.json   (line 1 of .gantry.yml)");
    command->callback([&context] {
        context.action = [](Context& inner) {
            const auto schema = pipeline::native_schema();
            inner.out(schema + (schema.ends_with('\n') ? "" : "\n"));
            return k_exit_ok;
        };
    });
}

} // namespace gantry::app
