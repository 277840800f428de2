#include "app/commands/commands.hpp"

#include "app/completion.hpp"
#include "app/context.hpp"
#include "app/exit_code.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct ShellRow {
    const char* name;
    std::string (*render)(const CLI::App&);
};
constexpr ShellRow k_shells[] = {
    {"bash", bash_completion},
    {"zsh", zsh_completion},
    {"fish", fish_completion},
    {"man", man_page},
};

} // namespace

void add_completion(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("completion", "Print the completion for a shell, or the man page");
    const auto shell = std::make_shared<std::string>();
    command->add_option("SHELL", *shell, "bash, zsh, fish, or man for the manual page")->type_name("")->required();
    command->footer("Examples:\n"
                    "  gantry completion bash > /etc/bash_completion.d/gantry\n"
                    "  gantry completion zsh > /usr/local/share/zsh/site-functions/_gantry\n"
                    "  gantry completion fish > ~/.config/fish/completions/gantry.fish\n"
                    "  gantry completion man | man -l -");
    command->callback([&app, &context, shell] {
        context.action = [&app, shell](Context& inner) {
            for (const auto& row : k_shells)
                if (*shell == row.name) {
                    inner.out(row.render(app));
                    return k_exit_ok;
                }
            throw Error(Errc::bad_input, "there is no completion for '" + *shell + "'", "one of bash, zsh, fish, man");
        };
    });
}

} // namespace gantry::app
