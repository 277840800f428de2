#include "app/cli_tree.hpp"

#include "app/registry.hpp"
#include "runner/housekeeping.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace gantry::app {

namespace {

// By the name of the value, or of the option where that says more.
Words words_of(const CliOption& option, const std::string& command)
{
    const auto& first = option.names.back();
    if (first == "--engine")
        return Words::engines;
    if (first == "RUN")
        return Words::runs;
    if (option.value == "FILE" || first == "FILE" || (first == "PATH" && command == "check"))
        return Words::files;
    const bool is_source = first == "PATH" && command != "get"; // `artifacts get` takes paths that a run has
    if (is_source || option.value == "DIR" || option.value == "FOLDER")
        return Words::folders;
    return Words::none;
}

// Choices are told in descriptions as "a, b or c".
std::vector<std::string> choices_of(const std::string& name)
{
    if (name == "--event")
        return {"push", "pull_request", "tag", "schedule", "manual"};
    if (name == "--pull")
        return {"always", "missing", "never"};
    if (name == "--log-level")
        return {"error", "warn", "info", "debug", "trace"};
    if (name == "--format")
        return {"text", "dot", "mermaid"};
    if (name == "SHELL")
        return {"bash", "zsh", "fish", "man"};
    if (name == "KIND") {
        std::vector<std::string> kinds;
        for (const auto& row : runner::kept_kinds())
            kinds.emplace_back(row.name);
        return kinds;
    }
    return {};
}

CliOption option_of(const CLI::Option& option, const std::string& command)
{
    CliOption one;
    one.positional = option.get_positional();
    one.required = option.get_required();
    one.many = option.get_items_expected_max() > 1;
    if (one.positional) {
        one.names.push_back(option.get_name(true));
    } else {
        for (const auto& name : option.get_snames())
            one.names.push_back("-" + name);
        for (const auto& name : option.get_lnames())
            one.names.push_back("--" + name);
    }
    if (option.get_items_expected_max() > 0 && !one.positional)
        one.value = option.get_type_name();
    one.description = option.get_description();
    std::replace(one.description.begin(), one.description.end(), '\n', ' ');
    one.given = choices_of(one.names.back());
    one.words = one.given.empty() ? words_of(one, command) : Words::given;
    return one;
}

} // namespace

CliCommand cli_tree(const CLI::App& app)
{
    CliCommand command{app.get_name(), app.get_description(), app.get_footer(), {}, {}};
    for (const auto* option : app.get_options())
        command.options.push_back(option_of(*option, command.name));
    for (const auto* inner : app.get_subcommands([](const CLI::App*) { return true; }))
        command.commands.push_back(cli_tree(*inner));
    return command;
}

std::vector<std::string> engine_names()
{
    std::vector<std::string> names;
    for (const auto& row : engines())
        names.emplace_back(row.name);
    return names;
}

} // namespace gantry::app
