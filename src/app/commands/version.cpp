#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"

#include <CLI/CLI.hpp>
#include <boost/version.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <spdlog/version.h>

#include <memory>

namespace gantry::app {

namespace {

// Of the header for what is built in, of the library for what is loaded.
nlohmann::ordered_json versions()
{
    return {
        {"gantry", GANTRY_VERSION},
        {"compiler", "g++ " __VERSION__},
        {"boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
        {"cli11", CLI11_VERSION},
        {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
        {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
        {"openssl", ::OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
    };
}

int show_version(Context& context, bool json)
{
    const auto all = versions();
    if (json) {
        context.out(all.dump(2) + "\n");
        return k_exit_ok;
    }
    std::string text = "gantry " GANTRY_VERSION "\n";
    for (const auto& [name, version] : all.items())
        if (name != "gantry")
            text += fmt::format("  {:<14} {}\n", name, version.get<std::string>());
    context.out(text);
    return k_exit_ok;
}

} // namespace

void add_version(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("version", "Show the versions of Gantry and its libraries");
    const auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "As a JSON object");
    command->footer("Example:\n  gantry version --json | jq -r .gantry");
    command->callback([&context, json] {
        context.action = [json](Context& inner) { return show_version(inner, *json); };
    });
}

} // namespace gantry::app
