#include "app/commands/commands.hpp"

#include "app/exit_code.hpp"
#include "app/planning.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct CheckFlags {
    std::vector<std::string> paths;
    std::string file;
    bool json = false, sarif = false;
};

// Several pipelines as one list: the marks of each point behind the sources of those before it.
struct Checked {
    pipeline::Diagnostics diagnostics;
    pipeline::Sources sources;
    std::vector<std::string> files;

    void add(pipeline::Diagnostics found, const pipeline::Sources& read)
    {
        const auto offset = static_cast<int>(sources.size());
        for (auto& diagnostic : found) {
            diagnostic.mark.file += offset;
            diagnostics.push_back(std::move(diagnostic));
        }
        if (!read.empty())
            files.push_back(read.front().path);
        sources.insert(sources.end(), read.begin(), read.end());
    }
};

std::string good_news(const std::vector<std::string>& files)
{
    if (files.size() > 3)
        return "no problems in " + std::to_string(files.size()) + " files\n";
    std::string names;
    for (const auto& file : files)
        names += (names.empty() ? "" : ", ") + terminal_safe(file);
    return "no problems in " + names + "\n";
}

int check_paths(Context& context, const CheckFlags& flags)
{
    Checked findings;
    for (const auto& path : flags.paths.empty() ? std::vector<std::string>{"."} : flags.paths) {
        SourceFlags source;
        source.path = path;
        source.file = flags.file;
        for (const auto& one : each_pipeline(source)) {
            const auto loaded = load_pipeline(one);
            findings.add(check_pipeline(context, loaded), sources_from_here(loaded));
        }
    }
    if (flags.json)
        context.out(pipeline::render_json(findings.diagnostics, findings.sources) + "\n");
    else if (flags.sarif)
        context.out(pipeline::render_sarif(findings.diagnostics, findings.sources, GANTRY_VERSION) + "\n");
    else if (findings.diagnostics.empty())
        context.out(good_news(findings.files));
    else
        print_problems(context, findings.diagnostics, findings.sources);
    return pipeline::has_errors(findings.diagnostics) ? k_exit_usage : k_exit_ok;
}

} // namespace

void add_check(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("check", "Find the problems of pipeline files");
    const auto flags = std::make_shared<CheckFlags>();
    command->add_option("PATH", flags->paths, "Repositories, folders or files (default: here)")->type_name("");
    command->add_option("-f,--file", flags->file, "Pipeline file (default: .gantry.yml, or all of .gantry/)")->type_name("FILE");
    auto* json = command->add_flag("--json", flags->json, "The problems as a JSON array");
    command->add_flag("--sarif", flags->sarif, "The problems as SARIF 2.1.0")->excludes(json);
    command->footer("Exit code 2 when there are errors; warnings alone give 0.\n\n"
                    "Examples:\n"
                    "  gantry check                      the repository around here\n"
                    "  gantry check ci/*.yml             several files\n"
                    "  gantry check --sarif > out.sarif  for a code scanning tool");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return check_paths(inner, *flags); };
    });
}

} // namespace gantry::app
