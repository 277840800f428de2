#pragma once

#include "app/context.hpp"

namespace CLI {
class App;
}

namespace gantry::app {

// Each adds one subcommand (commands/<name>.cpp); the table is in registry.cpp.
void add_artifacts(CLI::App& app, Context& context);
void add_cache(CLI::App& app, Context& context);
void add_cancel(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_df(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_graph(CLI::App& app, Context& context);
void add_image(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_prune(CLI::App& app, Context& context);
void add_ps(CLI::App& app, Context& context);
void add_rerun(CLI::App& app, Context& context);
void add_resume(CLI::App& app, Context& context);
void add_rm(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_schema(CLI::App& app, Context& context);
void add_secret(CLI::App& app, Context& context);
void add_shell(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

} // namespace gantry::app
