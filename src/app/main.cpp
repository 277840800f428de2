#include "app/main.hpp"

#include "app/execute.hpp"
#include "app/exit_code.hpp"
#include "app/registry.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace gantry::app {

namespace {

// For `gantry` alone: what people need first.
constexpr const char* k_welcome = R"(Runs CI/CD pipelines whose steps are containers.

  gantry run [PATH]        run the pipeline of a repository or folder
  gantry check             find the problems of its .gantry.yml
  gantry logs RUN [STEP]   what a step printed
  gantry ps                what runs now; --all: what has run
  gantry doctor            is everything there that a run needs?

All commands: gantry --help     Examples: gantry run --help
)";

std::string environment(const char* name, const char* otherwise)
{
    const char* value = std::getenv(name);
    return value && *value ? value : otherwise;
}

void print_error(Context& context, const Error& error)
{
    std::string text = "gantry: " + terminal_safe(error.what()) + '\n';
    for (const auto& line : split(error.hint(), '\n'))
        if (!line.empty())
            text += "        " + terminal_safe(line) + '\n';
    context.err(text);
}

std::vector<std::string> command_names()
{
    std::vector<std::string> names;
    for (const auto& row : commands())
        names.emplace_back(row.name);
    return names;
}

int report_usage(Context& context, const CLI::App& app, const CLI::ParseError& error, int argc, char** argv)
{
    if (error.get_exit_code() == 0) { // --help and its like
        const CLI::App* shown = &app;
        while (!shown->get_subcommands().empty())
            shown = shown->get_subcommands().front();
        context.out(shown->help());
        return k_exit_ok;
    }
    std::string hint = "gantry --help";
    if (!app.get_subcommands().empty()) {
        hint = "gantry " + app.get_subcommands().front()->get_name() + " --help";
    } else if (argc > 1 && argv[1][0] != '-') {
        const auto meant = nearest(argv[1], command_names());
        print_error(context, Error(Errc::bad_input, "there is no command '" + std::string(argv[1]) + "'",
                                   meant ? "did you mean 'gantry " + *meant + "'?" : "gantry --help lists them"));
        return k_exit_usage;
    }
    print_error(context, Error(Errc::bad_input, error.what(), "see: " + hint));
    return k_exit_usage;
}

} // namespace

int run_main(int argc, char** argv)
{
    // Whoever reads our output may go away; writes then fail, and we still clean up.
    std::signal(SIGPIPE, SIG_IGN);

    Context context;
    try {
        CLI::App app("Runs CI/CD pipelines whose steps are containers.", "gantry");
        app.set_help_flag("-h,--help", "Show this help");
        app.require_subcommand(0, 1);
        app.fallthrough();
        app.get_formatter()->column_width(34);
        context.options.engine = environment("GANTRY_ENGINE", "docker");
        context.options.log_level = environment("GANTRY_LOG", "error");
        app.add_option("--engine", context.options.engine, "What runs the containers: docker, fake")->type_name("NAME");
        app.add_option("--engine-host", context.options.engine_host, "Where it listens: unix:///path or tcp://host:port")
            ->type_name("URL");
        app.add_option("--log-level", context.options.log_level, "error, warn, info, debug or trace")->type_name("LEVEL");
        app.add_flag_callback("--version", [&context] {
            context.action = [](Context& inner) {
                inner.out("gantry " GANTRY_VERSION "\n");
                return k_exit_ok;
            };
        }, "Show the version");
        for (const auto& row : commands())
            row.add(app, context);
        try {
            app.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return report_usage(context, app, error, argc, argv);
        }
        if (!context.action) {
            context.out(k_welcome);
            return k_exit_ok;
        }
        reap_first(context);
        return context.action(context);
    } catch (...) {
        const auto error = to_error(std::current_exception());
        print_error(context, error);
        return exit_code_of(error);
    }
}

} // namespace gantry::app
