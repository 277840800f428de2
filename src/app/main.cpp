#include "app/main.hpp"

#include "app/exit_code.hpp"
#include "app/help.hpp"
#include "app/reap.hpp"
#include "app/registry.hpp"
#include "app/view/view.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <utility>

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
    context.err(as_locale_shows(std::move(text)));
}

std::vector<std::string> command_names()
{
    std::vector<std::string> names;
    for (const auto& row : commands())
        names.emplace_back(row.name);
    return names;
}

// `gantry help run` is what people try, and means `gantry run --help`.
std::vector<std::string> arguments_of(int argc, char** argv)
{
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (!arguments.empty() && arguments[0] == "help") {
        arguments.erase(arguments.begin());
        arguments.emplace_back("--help");
    }
    return arguments;
}

std::string names_of_commands(const CLI::App& app)
{
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return join(names, ", ");
}

int report_usage(Context& context, const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments)
{
    const CLI::App* meant = &app;
    while (!meant->get_subcommands().empty())
        meant = meant->get_subcommands().front();
    if (error.get_exit_code() == 0) { // --help and its like
        context.out(help_text(*meant));
        return k_exit_ok;
    }
    const auto hint = "see: " + command_path(*meant) + " --help";
    if (meant == &app && !arguments.empty() && arguments[0][0] != '-') {
        const auto near = nearest(arguments[0], command_names());
        print_error(context, Error(Errc::bad_input, "there is no command '" + arguments[0] + "'",
                                   near ? "did you mean 'gantry " + *near + "'?" : "gantry --help lists them"));
    } else if (dynamic_cast<const CLI::RequiredError*>(&error) && meant->get_require_subcommand_min() > 0) {
        print_error(context, Error(Errc::bad_input, command_path(*meant) + " needs a command: one of " + names_of_commands(*meant), hint));
    } else {
        print_error(context, Error(Errc::bad_input, error.what(), hint));
    }
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
        context.options.engine = environment("GANTRY_ENGINE", "docker");
        context.options.log_level = environment("GANTRY_LOG", "error");
        app.add_option("--engine", context.options.engine, "What runs the containers: docker, fake")->type_name("NAME");
        app.add_option("--engine-host", context.options.engine_host, "Where it listens: unix:///path or tcp://host:port")
            ->type_name("URL");
        app.add_option("--log-level", context.options.log_level, "error, warn, info, debug or trace")->type_name("LEVEL");
        app.add_flag_callback("-V,--version", [&context] {
            context.action = [](Context& inner) {
                inner.out("gantry " GANTRY_VERSION "\n");
                return k_exit_ok;
            };
        }, "Show the version");
        app.footer("Examples:\n"
                   "  gantry run                run the pipeline of the repository around here\n"
                   "  gantry logs latest unit   what the step unit of the last run printed\n"
                   "  gantry help image save    the help of a command: gantry image save --help");
        for (const auto& row : commands())
            row.add(app, context);
        const auto arguments = arguments_of(argc, argv);
        try {
            app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
        } catch (const CLI::ParseError& error) {
            return report_usage(context, app, error, arguments);
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
