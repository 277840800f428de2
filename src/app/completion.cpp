#include "app/completion.hpp"

#include "app/cli_tree.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::app {

namespace {

constexpr const char* k_runs = "latest $(command ls \"${XDG_STATE_HOME:-$HOME/.local/state}/gantry/runs\" 2>/dev/null)";

std::string replaced(std::string text, std::string_view from, std::string_view to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

std::string command_names(const CliCommand& tree)
{
    std::vector<std::string> names;
    for (const auto& command : tree.commands)
        names.push_back(command.name);
    return join(names, " ");
}

std::string option_names(const CliCommand& command)
{
    std::vector<std::string> names;
    for (const auto& option : command.options)
        if (!option.positional)
            names.insert(names.end(), option.names.begin(), option.names.end());
    return join(names, " ");
}

// ---- bash

// The statement that fills COMPREPLY for a value.
std::string bash_words(const CliOption& option)
{
    switch (option.words) {
    case Words::runs: return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))", k_runs);
    case Words::engines: return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))", join(engine_names(), " "));
    case Words::given: return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))", join(option.given, " "));
    case Words::files: return "COMPREPLY=($(compgen -f -- \"$word\"))";
    case Words::folders: return "COMPREPLY=($(compgen -d -- \"$word\"))";
    case Words::none: break;
    }
    return "COMPREPLY=()";
}

// A branch of `case "$command:$previous"` for each option that takes a value.
std::string bash_values(const CliCommand& command, const std::string& pattern)
{
    std::string text;
    for (const auto& option : command.options) {
        if (option.positional || option.value.empty())
            continue;
        std::vector<std::string> patterns;
        for (const auto& name : option.names)
            patterns.push_back(pattern + ":" + name);
        text += fmt::format("        {}) {}; return ;;\n", join(patterns, "|"), bash_words(option));
    }
    return text;
}

} // namespace

std::string bash_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string values, options, words;
    for (const auto& command : tree.commands) {
        values += bash_values(command, command.name);
        options += fmt::format("        {}) options=\"{}\" ;;\n", command.name, option_names(command));
        const auto& all = command.options;
        const auto positional = std::find_if(all.begin(), all.end(), [](const CliOption& option) { return option.positional; });
        if (positional != all.end())
            words += fmt::format("        {}) {} ;;\n", command.name, bash_words(*positional));
        else if (!command.commands.empty())
            words += fmt::format("        {}) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")) ;;\n", command.name, command_names(command));
    }
    return fmt::format(R"(# bash completion of gantry: gantry completion bash
_gantry() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" command="" options="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
        --engine|--engine-host|--log-level) ((i++)) ;;
        -*) ;;
        *) command="${{COMP_WORDS[i]}}"; break ;;
        esac
    done
    case "$command:$previous" in
{}{}    esac
    case "$command" in
        "") options="{}" ;;
{}    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options {}" -- "$word"))
        return
    fi
    case "$command" in
        "") COMPREPLY=($(compgen -W "{}" -- "$word")) ;;
{}    esac
}}
complete -F _gantry gantry
)",
                       values, bash_values(tree, "*"), option_names(tree), options, option_names(tree), command_names(tree), words);
}

namespace {

// ---- zsh

std::string zsh_quoted(const std::string& text)
{
    return replaced(replaced(replaced(replaced(text, "'", "'\\''"), "[", "\\["), "]", "\\]"), ":", "\\:");
}

std::string zsh_action(const CliOption& option)
{
    switch (option.words) {
    case Words::runs: return "($(print -r -- latest ${XDG_STATE_HOME:-$HOME/.local/state}/gantry/runs/*(N:t)))";
    case Words::engines: return "(" + join(engine_names(), " ") + ")";
    case Words::given: return "(" + join(option.given, " ") + ")";
    case Words::files: return "_files";
    case Words::folders: return "_files -/";
    case Words::none: break;
    }
    return " ";
}

std::string zsh_arguments(const CliCommand& command)
{
    std::string text;
    int position = 0;
    for (const auto& option : command.options) {
        const auto described = zsh_quoted(option.description);
        if (option.positional) {
            const auto place = option.many ? "*" : std::to_string(++position);
            text += fmt::format(" \\\n            '{}:{}:{}'", place, zsh_quoted(option.names[0]), zsh_action(option));
            continue;
        }
        for (const auto& name : option.names)
            text += option.value.empty() ? fmt::format(" \\\n            '*{}[{}]'", name, described)
                                         : fmt::format(" \\\n            '*{}[{}]:{}:{}'", name, described, option.value, zsh_action(option));
    }
    return text;
}

} // namespace

std::string zsh_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string names, cases;
    for (const auto& command : tree.commands) {
        names += fmt::format("        '{}:{}'\n", command.name, zsh_quoted(command.description));
        const bool has_positional = std::any_of(command.options.begin(), command.options.end(), [](const CliOption& o) { return o.positional; });
        auto arguments = zsh_arguments(command) + zsh_arguments({"", "", "", tree.options, {}});
        if (!has_positional && !command.commands.empty())
            arguments += fmt::format(" \\\n            '1:command:({})'", command_names(command));
        cases += fmt::format("        {}) _arguments -s{} ;;\n", command.name, arguments);
    }
    return fmt::format(R"(#compdef gantry
# zsh completion of gantry: gantry completion zsh
_gantry() {{
    local -a commands
    local context state line
    commands=(
{})
    _arguments -C -s{} \
            '1:command:->command' '*::argument:->argument'
    case $state in
    command) _describe command commands ;;
    argument)
        case $line[1] in
{}        esac ;;
    esac
}}
_gantry "$@"
)",
                       names, zsh_arguments(tree), cases);
}

namespace {

// ---- fish

std::string fish_quoted(const std::string& text)
{
    return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_words(const CliOption& option)
{
    switch (option.words) {
    case Words::runs:
        return " -xa '(echo latest; command ls (set -q XDG_STATE_HOME; and echo $XDG_STATE_HOME; or echo $HOME/.local/state)"
               "/gantry/runs 2>/dev/null)'";
    case Words::engines: return " -xa " + fish_quoted(join(engine_names(), " "));
    case Words::given: return " -xa " + fish_quoted(join(option.given, " "));
    case Words::files: return " -rF";
    case Words::folders: return " -xa '(__fish_complete_directories)'";
    case Words::none: break;
    }
    return option.positional ? "" : " -x";
}

std::string fish_options(const CliCommand& command, const std::string& condition)
{
    std::string text;
    for (const auto& option : command.options) {
        text += "complete -c gantry" + condition;
        if (!option.positional)
            for (const auto& name : option.names)
                text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        if (option.positional || !option.value.empty())
            text += fish_words(option);
        if (!option.positional)
            text += " -d " + fish_quoted(option.description);
        text += "\n";
    }
    return text;
}

} // namespace

std::string fish_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string text = "# fish completion of gantry: gantry completion fish\ncomplete -c gantry -f\n" + fish_options(tree, "");
    for (const auto& command : tree.commands)
        text += fmt::format("complete -c gantry -n __fish_use_subcommand -a {} -d {}\n", command.name, fish_quoted(command.description));
    for (const auto& command : tree.commands) {
        const auto condition = fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name);
        text += fish_options(command, condition);
        if (!command.commands.empty())
            text += fmt::format("complete -c gantry{} -a {}\n", condition, fish_quoted(command_names(command)));
    }
    return text;
}

} // namespace gantry::app
