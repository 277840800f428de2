#include "app/cli_tree.hpp"
#include "app/completion.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

namespace gantry::app {

namespace {

// Text of roff: no escapes, no requests at the beginning of a line.
std::string roff(const std::string& text)
{
    std::string out;
    for (const auto& line : split(text, '\n')) {
        if (line.starts_with('.') || line.starts_with('\''))
            out += "\\&";
        for (const char c : line)
            out += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
        out += '\n';
    }
    out.pop_back();
    return out;
}

std::string option_entries(const CliCommand& command)
{
    std::string text;
    for (const auto& option : command.options) {
        std::string names;
        for (const auto& name : option.names)
            names += (names.empty() ? "" : ", ") + std::string(option.positional ? "\\fI" : "\\fB") + roff(name) + "\\fR";
        if (!option.value.empty())
            names += " \\fI" + roff(option.value) + "\\fR";
        text += ".TP\n" + names + "\n" + roff(option.description) + "\n";
    }
    return text;
}

std::string command_entry(const CliCommand& command, const std::string& path)
{
    auto text = ".SS " + roff(path + command.name) + "\n" + roff(command.description) + ".\n" + option_entries(command);
    if (!command.footer.empty())
        text += ".PP\n.nf\n" + roff(command.footer) + "\n.fi\n";
    for (const auto& inner : command.commands)
        text += command_entry(inner, path + command.name + " ");
    return text;
}

} // namespace

std::string man_page(const CLI::App& app)
{
    const auto tree = cli_tree(app);
    std::string commands;
    for (const auto& command : tree.commands)
        commands += command_entry(command, "");
    return fmt::format(R"(.TH GANTRY 1 "" "gantry {}" "User Commands"
.SH NAME
gantry \- {}
.SH SYNOPSIS
.B gantry
[\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]...
.SH OPTIONS
For all commands.
{}.SH COMMANDS
{}.SH EXIT STATUS
.TP
.B 0
It passed, or there was nothing to run.
.TP
.B 1
A step failed by itself.
.TP
.B 2
The pipeline file, a flag or an argument is wrong, or a step needs a consent that was not given.
.TP
.B 3
Infrastructure: the engine cannot be reached or went away, an image cannot be had, a disk is full.
.TP
.B 4
A step, a stage or the run took longer than it may.
.TP
.B 129, 130, 143
Ended by SIGHUP; interrupted by SIGINT; ended by SIGTERM or cancelled.
.SH ENVIRONMENT
.TP
.B GANTRY_ENGINE, GANTRY_LOG
Defaults of \-\-engine and \-\-log\-level.
.TP
.B GANTRY_KEEP_FREE
Default of \-\-keep\-free.
.TP
.B GANTRY_ARTIFACTS_MAX, GANTRY_ARTIFACTS_MAX_FILES
What a stage may keep as artifacts: bytes, and files.
.TP
.B GANTRY_CACHE_MAX, GANTRY_CACHE_MAX_EACH
What caches may take: in all, and each.
.TP
.B GANTRY_SECRET_\fINAME\fR
The value of the secret \fINAME\fR.
.TP
.B DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
As for docker.
.TP
.B NO_COLOR, CLICOLOR_FORCE
No colours; colours although the output is no terminal.
.SH FILES
.TP
.I $XDG_STATE_HOME/gantry
Journals and logs of runs (default: ~/.local/state/gantry).
.TP
.I $XDG_CACHE_HOME/gantry
What can be made again (default: ~/.cache/gantry).
.TP
.I $XDG_CONFIG_HOME/gantry
Secrets of gantry secret (default: ~/.config/gantry).
)",
                       GANTRY_VERSION, roff(tree.description), option_entries(tree), commands);
}

} // namespace gantry::app
