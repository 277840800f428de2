#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "base/clock.hpp"
#include "base/format.hpp"
#include "runner/artifact_writer.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace gantry::app {

namespace {

using cache::Artifact;
using Json = nlohmann::ordered_json;

struct ArtifactFlags {
    std::string run, stage;
    std::vector<std::string> paths;
    std::string to = ".";
    bool json = false, force = false;
};

bool is_expired(const cache::Manifest& manifest)
{
    return manifest.expires && *manifest.expires <= system_clock().wall();
}

// What the run, or one stage of it, has kept and still has. Throws not_found for a stage that the run does not have.
std::vector<cache::Manifest> manifests_of(Context& context, const ArtifactFlags& flags)
{
    const auto id = context.store().resolve_id(flags.run);
    std::vector<std::string> stages;
    for (const auto& stage : context.store().summary(id).stages)
        stages.push_back(stage.stage);
    if (!flags.stage.empty() && std::find(stages.begin(), stages.end(), flags.stage) == stages.end()) {
        const auto meant = nearest(flags.stage, stages);
        throw Error(Errc::not_found, "run " + id + " has no stage " + flags.stage, meant ? "did you mean " + *meant + "?" : "one of " + join(stages, ", "));
    }
    std::vector<cache::Manifest> found;
    for (const auto& stage : stages)
        if (flags.stage.empty() || stage == flags.stage)
            if (auto manifest = context.artifacts().find(id, stage); manifest && !is_expired(*manifest))
                found.push_back(std::move(*manifest));
    return found;
}

const char* kind_of(const Artifact& artifact)
{
    return artifact.type == Artifact::Type::file ? "file" : artifact.type == Artifact::Type::folder ? "folder" : "link";
}

std::string json_of(const std::vector<cache::Manifest>& manifests)
{
    auto array = Json::array();
    for (const auto& manifest : manifests) {
        const auto sum = sum_of(manifest);
        Json json = {{"run", manifest.run}, {"stage", manifest.stage}, {"saved", format_time(manifest.saved)}};
        if (manifest.expires)
            json["expires"] = format_time(*manifest.expires);
        json["files"] = sum.files;
        json["size_bytes"] = sum.size_bytes;
        json["artifacts"] = Json::array();
        for (const auto& artifact : manifest.artifacts) {
            Json one = {{"path", artifact.path}, {"type", kind_of(artifact)}, {"mode", fmt::format("{:04o}", artifact.mode)}};
            one["mtime"] = format_seconds(artifact.mtime);
            if (artifact.type == Artifact::Type::file)
                one.update({{"size_bytes", artifact.size_bytes}, {"sha256", artifact.digest}});
            if (artifact.type == Artifact::Type::link)
                one["target"] = artifact.target;
            json["artifacts"].push_back(std::move(one));
        }
        array.push_back(std::move(json));
    }
    return array.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string text_of(const cache::Manifest& manifest)
{
    const auto sum = sum_of(manifest);
    auto text = fmt::format("{}: {}, {}", terminal_safe(manifest.stage), format_count(sum.files, "file"), format_size(sum.size_bytes));
    if (manifest.expires)
        text += fmt::format(", expires in {}", format_duration(*manifest.expires - system_clock().wall()));
    text += '\n';
    for (const auto& artifact : manifest.artifacts) {
        const auto path = terminal_safe(artifact.path);
        if (artifact.type == Artifact::Type::file)
            text += fmt::format("{:>9}  {}\n", format_size(artifact.size_bytes), path);
        else
            text += fmt::format("{:>9}  {}{}\n", "", path, artifact.type == Artifact::Type::folder ? "/" : " -> " + terminal_safe(artifact.target));
    }
    return text;
}

std::string whose(const ArtifactFlags& flags)
{
    return "run " + terminal_safe(flags.run) + (flags.stage.empty() ? "" : ", stage " + terminal_safe(flags.stage));
}

int list(Context& context, const ArtifactFlags& flags)
{
    const auto manifests = manifests_of(context, flags);
    if (flags.json) {
        context.out(json_of(manifests));
        return k_exit_ok;
    }
    if (manifests.empty())
        context.err("gantry: " + whose(flags) + " has no artifacts: none were kept, or they have expired\n");
    for (const auto& manifest : manifests)
        context.out(text_of(manifest));
    return k_exit_ok;
}

int get(Context& context, const ArtifactFlags& flags)
{
    const auto manifests = manifests_of(context, flags);
    if (manifests.empty())
        throw Error(Errc::not_found, whose(flags) + " has no artifacts", "none were kept, or they have expired");
    const auto chosen = runner::choose_artifacts(manifests, flags.paths);
    const auto sum = runner::write_artifacts(context.artifacts(), chosen, flags.to, flags.force ? runner::Existing::replace : runner::Existing::refuse);
    context.err(fmt::format("gantry: {}, {}, in {}\n", format_count(sum.files, "file"), format_size(sum.size_bytes), terminal_safe(flags.to)));
    return k_exit_ok;
}

} // namespace

void add_artifacts(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("artifacts", "Files that a run has kept: list them, or get them");
    const auto flags = std::make_shared<ArtifactFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("")->required();
    command->add_option("STAGE", flags->stage, "Of this stage only")->type_name("");
    command->add_flag("--json", flags->json, "As a JSON array");
    command->footer("Examples:\n"
                    "  gantry artifacts 17\n"
                    "  gantry artifacts latest build get    all that build kept, into this folder\n"
                    "  gantry artifacts 17 get '*.xml' --to out    what matches, into the folder out");
    auto* into = command->add_subcommand("get", "Write them into a folder");
    into->add_option("PATH", flags->paths, "Files, folders or globs; all where there are none")->type_name("");
    into->add_option("--to", flags->to, "The folder, this one by default; links in it are not followed")->type_name("DIR");
    into->add_flag("--force", flags->force, "Replace files that are there");
    into->footer("Examples:\n"
                 "  gantry artifacts latest get\n"
                 "  gantry artifacts 17 build get 'bin/*' report.xml --to out");
    command->callback([&context, flags, into] {
        context.action = [flags, what = into->parsed() ? get : list](Context& inner) { return what(inner, *flags); };
    });
}

} // namespace gantry::app
