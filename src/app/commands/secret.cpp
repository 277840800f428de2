#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/terminal.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/secret_store.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <memory>

namespace gantry::app {

namespace {

// Never an argument: those are in the shell's history and in everybody's list of processes.
Answer read_value(Context& context, const std::string& name)
{
    Answer answer;
    if (!::isatty(STDIN_FILENO)) {
        answer.value = runner::piped_secret();
        return answer;
    }
    answer = ask_for_secret(context, name);
    if (!answer.value && answer.signal == 0)
        throw Error(Errc::bad_input, "no value for " + name + ": nothing was typed");
    return answer;
}

int set(Context& context, const std::string& name)
{
    runner::SecretStore store(config_dir());
    const auto answer = read_value(context, name);
    if (answer.signal != 0)
        return 128 + answer.signal;
    store.set(name, *answer.value);
    context.err("gantry: " + name + " is kept in " + store.path() + "\n");
    return k_exit_ok;
}

int list_secrets(Context& context)
{
    for (const auto& name : runner::SecretStore(config_dir()).names())
        context.out(name + "\n");
    return k_exit_ok;
}

int remove(Context&, const std::string& name)
{
    runner::SecretStore store(config_dir());
    if (!store.remove(name)) {
        const auto meant = nearest(name, store.names());
        throw Error(Errc::not_found, "there is no secret " + name,
                    meant ? "did you mean " + *meant + "?" : "gantry secret ls");
    }
    return k_exit_ok;
}

} // namespace

void add_secret(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("secret", "Keep secrets for the runs of this user");
    command->require_subcommand(1);
    const auto name = std::make_shared<std::string>();
    auto* add = command->add_subcommand("set", "Keep a value, from the terminal or standard input");
    add->add_option("NAME", *name, "Its name")->type_name("")->required();
    add->footer("The value takes the place of one that is kept by that name. It is never an\n"
                "argument: those are in the shell's history.\n\n"
                "Examples:\n"
                "  gantry secret set NPM_TOKEN      asks for the value, without showing it\n"
                "  pass show npm | gantry secret set NPM_TOKEN");
    add->callback([&context, name] { context.action = [name](Context& inner) { return set(inner, *name); }; });

    auto* ls = command->add_subcommand("ls", "Names of all");
    ls->footer("One a line, without the values: no command shows those.\n\n"
               "Example:\n  gantry secret ls");
    ls->callback([&context] { context.action = list_secrets; });

    auto* rm = command->add_subcommand("rm", "Forget one");
    rm->add_option("NAME", *name, "Its name")->type_name("")->required();
    rm->footer("Runs that go on have it already.\n\n"
               "Example:\n  gantry secret rm NPM_TOKEN");
    rm->callback([&context, name] { context.action = [name](Context& inner) { return remove(inner, *name); }; });

    command->footer("A run finds them after those of --secret-file and GANTRY_SECRET_<NAME>. They lie\n"
                    "in a file that only you can read, as they are; no command shows a value.\n\n"
                    "Examples:\n"
                    "  gantry secret set NPM_TOKEN      asks for the value, without showing it\n"
                    "  pass show npm | gantry secret set NPM_TOKEN\n"
                    "  gantry secret ls");
}

} // namespace gantry::app
