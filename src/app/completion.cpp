#include "app/completion.hpp"

#include "app/cli_tree.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <functional>

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

std::vector<std::string> option_names(const CliCommand& command)
{
    std::vector<std::string> names;
    for (const auto& option : command.options)
        if (!option.positional)
            names.insert(names.end(), option.names.begin(), option.names.end());
    return names;
}

// Every command with its path, which is "" for the program and " image save" for an inner one.
using Visit = std::function<void(const CliCommand& command, const std::string& path)>;
void for_each_command(const CliCommand& command, const std::string& path, const Visit& visit)
{
    visit(command, path);
    for (const auto& inner : command.commands)
        for_each_command(inner, path + " " + inner.name, visit);
}

// An argument that a command takes, and where it stands among them.
struct Place {
    const CliOption* option;
    std::string number; // "*" where it may be repeated
};
std::vector<Place> places_of(const CliCommand& command)
{
    std::vector<Place> places;
    for (const auto& option : command.options)
        if (option.positional)
            places.push_back({&option, option.many ? "*" : std::to_string(places.size())});
    return places;
}

// Patterns for `case "$path $word"`, of options whose value is the next word; `form` quotes one behind what may stand before it.
std::string patterns_of_values(const CliCommand& tree, const char* separator, const char* form)
{
    std::vector<std::string> patterns;
    for_each_command(tree, "", [&](const CliCommand& command, const std::string& path) {
        for (const auto& option : command.options)
            for (const auto& name : option.names)
                if (!option.value.empty())
                    patterns.push_back(fmt::format(fmt::runtime(form), path.empty() ? "*" : "", path + " " + name));
    });
    return join(patterns, separator);
}

// And of words that name a command.
std::string patterns_of_commands(const CliCommand& tree, const char* separator, char quote)
{
    std::vector<std::string> patterns;
    for_each_command(tree, "", [&](const CliCommand&, const std::string& path) {
        if (!path.empty())
            patterns.push_back(quote + path + quote);
    });
    return join(patterns, separator);
}

// ---- bash

std::string bash_names(const CliCommand& command)
{
    return fmt::format("_gantry_words \"{}\"", command_names(command));
}

// The statement that fills COMPREPLY for a value.
std::string bash_words(const CliOption& option)
{
    switch (option.words) {
    case Words::runs: return fmt::format("_gantry_words \"{}\"", k_runs);
    case Words::engines: return fmt::format("_gantry_words \"{}\"", join(engine_names(), " "));
    case Words::given: return fmt::format("_gantry_words \"{}\"", join(option.given, " "));
    case Words::files: return "_gantry_files -f";
    case Words::folders: return "_gantry_files -d";
    case Words::none: break;
    }
    return ":";
}

// A branch of `case "$path $previous"` for each option that takes a value.
std::string bash_values(const CliCommand& command, const std::string& path)
{
    std::string text;
    for (const auto& option : command.options) {
        if (option.value.empty())
            continue;
        std::vector<std::string> patterns;
        for (const auto& name : option.names)
            patterns.push_back((path.empty() ? "*" : "") + fmt::format("\"{} {}\"", path, name));
        text += fmt::format("    {}) {}; return ;;\n", join(patterns, "|"), bash_words(option));
    }
    return text;
}

// A branch of `case "$path:$position"` for each argument; the name of an inner command may stand where nothing else is known.
std::string bash_arguments(const CliCommand& command, const std::string& path)
{
    std::string text;
    for (const auto& [option, number] : places_of(command))
        if (option->words != Words::none)
            text += fmt::format("    \"{}:\"{}) {} ;;\n", path, number, bash_words(*option));
    if (!command.commands.empty())
        text += fmt::format("    \"{}:\"*) {} ;;\n", path, bash_names(command));
    return text;
}

} // namespace

std::string bash_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string values, options, arguments;
    for_each_command(tree, "", [&](const CliCommand& command, const std::string& path) {
        values += bash_values(command, path);
        options += fmt::format("    \"{}\") options=\"{}\" ;;\n", path, join(option_names(command), " "));
        arguments += bash_arguments(command, path);
    });
    return fmt::format(R"(# bash completion of gantry: gantry completion bash
_gantry_words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}}
# -d: only folders. As file names they get a slash, and a backslash before a blank.
_gantry_files() {{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$word")
}}
_gantry() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" path="" position=0 options="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${{COMP_WORDS[i]}}" in
        {}) ((i++)) ;;
        *" -"*) ;;
        {}) path="$path ${{COMP_WORDS[i]}}"; position=0 ;;
        *) ((position++)) ;;
        esac
    done
    case "$path $previous" in
{}    esac
    case "$path" in
{}    esac
    if [[ $word == -* ]]; then
        _gantry_words "$options {}"
        return
    fi
    case "$path:$position" in
{}    esac
}}
complete -F _gantry gantry
)",
                       patterns_of_values(tree, "|", "{}\"{}\""), patterns_of_commands(tree, "|", '"'), values, options,
                       join(option_names(tree), " "), arguments);
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

std::string zsh_options(const CliCommand& command)
{
    std::string text;
    for (const auto& option : command.options) {
        if (option.positional)
            continue;
        const auto described = zsh_quoted(option.description);
        for (const auto& name : option.names)
            text += option.value.empty() ? fmt::format(" \\\n        '*{}[{}]'", name, described)
                                         : fmt::format(" \\\n        '*{}[{}]:{}:{}'", name, described, option.value, zsh_action(option));
    }
    return text;
}

// An inner command may take the place of what comes last.
std::string zsh_arguments(const CliCommand& command)
{
    std::string text;
    const auto inner = fmt::format("({})", command_names(command));
    int number = 0;
    for (const auto& [option, place] : places_of(command)) {
        const bool may_be_inner = !command.commands.empty() && option->words == Words::none;
        text += fmt::format(" \\\n        '{}:{}:{}'", place == "*" ? place : std::to_string(++number), zsh_quoted(option->names[0]),
                            may_be_inner ? inner : zsh_action(*option));
    }
    if (!command.commands.empty())
        text += fmt::format(" \\\n        '*:command:{}'", inner);
    return text;
}

std::string zsh_function(const std::string& path)
{
    return "_gantry" + replaced(path, " ", "_");
}

// One that takes arguments of its own before an inner command has the options of both: zsh cannot tell them apart there.
std::string zsh_leaf(const CliCommand& tree, const CliCommand& command, const std::string& path)
{
    auto options = zsh_options(command);
    for (const auto& inner : command.commands)
        options += zsh_options(inner);
    return fmt::format("{}() {{\n    _arguments -s{}{}\n}}\n", zsh_function(path), options + (path.empty() ? "" : zsh_options({"", "", "", tree.options, {}})),
                       zsh_arguments(command));
}

std::string zsh_node(const CliCommand& tree, const CliCommand& command, const std::string& path)
{
    if (command.commands.empty() || !places_of(command).empty())
        return zsh_leaf(tree, command, path);
    std::string names, cases;
    for (const auto& inner : command.commands) {
        names += fmt::format("        '{}:{}'\n", inner.name, zsh_quoted(inner.description));
        cases += fmt::format("        {}) {} ;;\n", inner.name, zsh_function(path + " " + inner.name));
    }
    return fmt::format(R"({}() {{
    local -a commands
    local context state line
    commands=(
{}    )
    _arguments -C -s{} \
        '1:command:->command' '*::argument:->argument'
    case $state in
    command) _describe command commands ;;
    argument)
        case $line[1] in
{}        esac ;;
    esac
}}
)",
                       zsh_function(path), names, zsh_options(command) + (path.empty() ? "" : zsh_options({"", "", "", tree.options, {}})), cases);
}

} // namespace

std::string zsh_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string text = "#compdef gantry\n# zsh completion of gantry: gantry completion zsh\n";
    for_each_command(tree, "", [&](const CliCommand& command, const std::string& path) { text += zsh_node(tree, command, path); });
    return text + "_gantry \"$@\"\n";
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
    case Words::files: return option.positional ? " -F" : " -rF";
    case Words::folders: return " -xa '(__fish_complete_directories (commandline -ct))'";
    case Words::none: break;
    }
    return option.positional ? "" : " -x";
}

std::string fish_condition(const std::string& path, const std::string& number)
{
    const auto place = number.empty() || number == "*" ? "" : " " + number;
    return " -n \"__gantry_at '" + path + "'" + place + "\"";
}

std::string fish_options(const CliCommand& command, const std::string& condition)
{
    std::string text;
    for (const auto& option : command.options) {
        if (option.positional)
            continue;
        text += "complete -c gantry" + condition;
        for (const auto& name : option.names)
            text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        text += (option.value.empty() ? "" : fish_words(option)) + " -d " + fish_quoted(option.description) + "\n";
    }
    return text;
}

std::string fish_arguments(const CliCommand& command, const std::string& path)
{
    std::string text;
    const auto places = places_of(command);
    for (const auto& [option, number] : places)
        if (option->words != Words::none)
            text += "complete -c gantry" + fish_condition(path, number) + fish_words(*option) + "\n";
    for (const auto& inner : command.commands)
        for (std::size_t number = places.empty() ? 0 : 1; number <= places.size(); ++number)
            text += "complete -c gantry" + fish_condition(path, std::to_string(number)) + " -xa " + inner.name + " -d " +
                    fish_quoted(inner.description) + "\n";
    return text;
}

} // namespace

std::string fish_completion(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    auto text = fmt::format(R"(# fish completion of gantry: gantry completion fish
# Whether this command is being written, and this argument of it, where a number is given.
function __gantry_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l path ''
    set -l position 0
    set -l is_value no
    for word in $words
        if test $is_value = yes
            set is_value no
            continue
        end
        switch "$path $word"
            case {}
                set is_value yes
            case '* -*'
            case {}
                set path "$path $word"
                set position 0
            case '*'
                set position (math $position + 1)
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; or test $argv[2] = $position
end
complete -c gantry -f
)",
                            patterns_of_values(tree, " ", "'{}{}'"), patterns_of_commands(tree, " ", '\''));
    text += fish_options(tree, "");
    for_each_command(tree, "", [&](const CliCommand& command, const std::string& path) {
        if (!path.empty())
            text += fish_options(command, fish_condition(path, ""));
        text += fish_arguments(command, path);
    });
    return text;
}

} // namespace gantry::app
