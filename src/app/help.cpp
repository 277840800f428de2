#include "app/help.hpp"

#include "app/cli_tree.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <vector>

namespace gantry::app {

namespace {

constexpr std::size_t k_help_columns = 80;
constexpr std::size_t k_widest_name = 24; // what is wider has a line of its own

struct Row {
    std::string name, about;
};

std::vector<std::string> wrapped(const std::string& text, std::size_t columns)
{
    std::vector<std::string> lines;
    for (const auto& word : split(text, ' ')) {
        if (lines.empty() || lines.back().size() + 1 + word.size() > columns)
            lines.push_back(word);
        else
            lines.back() += " " + word;
    }
    return lines;
}

std::string section(const std::string& title, const std::vector<Row>& rows)
{
    if (rows.empty())
        return {};
    std::size_t width = 0;
    for (const auto& row : rows)
        if (row.name.size() <= k_widest_name)
            width = std::max(width, row.name.size());
    const auto indent = width + 4;
    auto text = "\n" + title + ":\n";
    for (const auto& row : rows) {
        auto line = "  " + row.name;
        if (row.name.size() > width) {
            text += line + "\n";
            line.clear();
        }
        for (const auto& about : wrapped(row.about, k_help_columns - indent)) {
            line.resize(indent, ' ');
            text += line + about + "\n";
            line.clear();
        }
    }
    return text;
}

std::string name_of(const CliOption& option)
{
    return join(option.names, ", ") + (option.value.empty() ? "" : " " + option.value) + (option.many ? "..." : "");
}

std::string arguments_of(const CliCommand& command)
{
    std::string text;
    for (const auto& option : command.options) {
        if (!option.positional)
            continue;
        const auto name = name_of(option);
        text += option.required ? " " + name : " [" + name + "]";
    }
    return text;
}

std::string usage(const CLI::App& app, const CliCommand& command)
{
    const auto arguments = arguments_of(command);
    std::string next;
    if (!command.commands.empty())
        next = arguments.empty() ? " COMMAND" : " [COMMAND]";
    auto before = command.name;
    for (const auto* at = app.get_parent(); at; at = at->get_parent())
        before = at->get_name() + arguments_of(cli_tree(*at)) + " " + before;
    return before + " [OPTIONS]" + arguments + next;
}

// Those that every command takes stand in the help of the program.
std::string options_for_all(const CLI::App& app)
{
    const auto* root = &app;
    while (root->get_parent())
        root = root->get_parent();
    if (root == &app)
        return {};
    std::vector<std::string> names;
    for (const auto& option : cli_tree(*root).options)
        if (!option.value.empty())
            names.push_back(name_of(option));
    return "\nFor all commands: " + join(names, ", ") + "\n";
}

} // namespace

std::string help_text(const CLI::App& app)
{
    const auto command = cli_tree(app);
    std::vector<Row> arguments, options, commands;
    for (const auto& option : command.options)
        (option.positional ? arguments : options).push_back({name_of(option), option.description});
    for (const auto& inner : command.commands)
        commands.push_back({inner.name, inner.description});
    return command.description + "\nUsage: " + usage(app, command) + "\n" + section("Arguments", arguments) + section("Options", options) +
           section("Commands", commands) + options_for_all(app) + (command.footer.empty() ? "" : "\n" + command.footer + "\n");
}

std::string command_path(const CLI::App& command)
{
    return command.get_parent() ? command_path(*command.get_parent()) + " " + command.get_name() : command.get_name();
}

} // namespace gantry::app
