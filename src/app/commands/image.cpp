#include "app/commands/commands.hpp"

#include "app/commands/image_archive.hpp"
#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace gantry::app {

namespace {

struct ImageFlags {
    bool all = false, json = false;
    std::string platform, file = "-";
    std::vector<std::string> names;
};

std::string dumped(const nlohmann::json& json)
{
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// That built it; empty for what was not built here.
std::string run_of(const engine::ImageEntry& image)
{
    const auto found = image.labels.find("gantry.run");
    return found == image.labels.end() ? std::string() : found->second;
}

nlohmann::json json_of(const engine::ImageEntry& image)
{
    nlohmann::json json = {{"id", image.id}, {"tags", image.tags}, {"size_bytes", image.size_bytes}, {"created", format_time(image.created)}};
    if (const auto run = run_of(image); !run.empty())
        json["run"] = run;
    return json;
}

std::string table_of(const std::vector<engine::ImageEntry>& images)
{
    std::vector<std::vector<std::string>> rows{{"IMAGE", "ID", "SIZE", "CREATED", "RUN"}};
    for (const auto& image : images) {
        auto names = image.tags.empty() ? std::vector<std::string>{"-"} : image.tags;
        for (const auto& name : names)
            rows.push_back({terminal_safe(name), image.id.substr(0, 19), format_size(image.size_bytes),
                            format_time(image.created).substr(0, 19) + "Z", terminal_safe(run_of(image))});
    }
    return aligned(rows);
}

int list_images(Context& context, const ImageFlags& flags)
{
    engine::Labels labels;
    if (!flags.all)
        labels["gantry.instance"] = context.store().instance();
    std::vector<engine::ImageEntry> images;
    context.run([&]() -> awaitable<void> { images = co_await context.engine().list_images(labels); });
    if (flags.json) {
        auto json = nlohmann::json::array();
        for (const auto& image : images)
            json.push_back(json_of(image));
        context.out(dumped(json));
    } else if (images.empty()) {
        context.err("gantry: no run here has built an image that is still there; all that the engine has: gantry image ls --all\n");
    } else {
        context.out(table_of(images));
    }
    return k_exit_ok;
}

int pull_images(Context& context, const ImageFlags& flags)
{
    for (const auto& name : flags.names) {
        engine::ImageInfo image;
        context.run([&]() -> awaitable<void> {
            image = co_await context.engine().pull_image(name, flags.platform, nullptr);
        });
        context.out((image.digest.empty() ? image.id : image.digest) + "\n");
    }
    return k_exit_ok;
}

int remove_images(Context& context, const ImageFlags& flags)
{
    for (const auto& name : flags.names) {
        context.run([&]() -> awaitable<void> {
            const auto found = co_await context.engine().find_image(name);
            if (!found)
                throw Error(Errc::not_found, "the engine has no image " + name, "gantry image ls --all");
            co_await context.engine().remove(engine::ObjectKind::image, name);
        });
    }
    return k_exit_ok;
}

int inspect_images(Context& context, const ImageFlags& flags)
{
    auto json = nlohmann::json::array();
    for (const auto& name : flags.names) {
        std::optional<engine::ImageInfo> image;
        context.run([&]() -> awaitable<void> { image = co_await context.engine().find_image(name); });
        if (!image)
            throw Error(Errc::not_found, "the engine has no image " + name, "gantry image pull " + name);
        json.push_back({{"id", image->id},
                        {"digest", image->digest},
                        {"entrypoint", image->entrypoint},
                        {"command", image->command},
                        {"environment", image->environment},
                        {"user", image->user},
                        {"working_dir", image->working_dir},
                        {"stop_signal", image->stop_signal},
                        {"size_bytes", image->size_bytes}});
    }
    context.out(dumped(json));
    return k_exit_ok;
}

int save(Context& context, const ImageFlags& flags)
{
    return save_images(context, flags.names, flags.file);
}

int load(Context& context, const ImageFlags& flags)
{
    return load_images(context, flags.file);
}

using Act = int (*)(Context&, const ImageFlags&);

void add_act(CLI::App* command, Context& context, const std::shared_ptr<ImageFlags>& flags, Act act)
{
    command->callback([&context, flags, act] {
        context.action = [flags, act](Context& inner) { return act(inner, *flags); };
    });
}

} // namespace

void add_image(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("image", "Look at the engine's images, get, save, load and remove them");
    command->require_subcommand(1);
    const auto flags = std::make_shared<ImageFlags>();

    auto* ls = command->add_subcommand("ls", "List the images that runs here have built");
    ls->add_flag("-a,--all", flags->all, "Every image that the engine has");
    ls->add_flag("--json", flags->json, "As a JSON array");
    ls->footer("Examples:\n"
               "  gantry image ls --all\n"
               "  gantry image ls --json | jq -r '.[].tags[]'");
    add_act(ls, context, flags, list_images);

    auto* pull = command->add_subcommand("pull", "Get images from their registries; prints their digests");
    pull->add_option("IMAGE", flags->names, "Names")->type_name("")->required();
    pull->add_option("--platform", flags->platform, "Such as linux/arm64 (default: the engine's)")->type_name("NAME");
    pull->footer("With the credentials of `docker login`.\n\n"
                 "Examples:\n"
                 "  gantry image pull registry.example/shop:1\n"
                 "  gantry image pull --platform linux/arm64 debian:12");
    add_act(pull, context, flags, pull_images);

    auto* rm = command->add_subcommand("rm", "Remove images");
    rm->add_option("IMAGE", flags->names, "Names or ids")->type_name("")->required();
    rm->footer("Examples:\n"
               "  gantry image rm shop:1\n"
               "  gantry image ls --json | jq -r '.[].id' | xargs gantry image rm");
    add_act(rm, context, flags, remove_images);

    auto* inspect = command->add_subcommand("inspect", "Say what images are, as JSON");
    inspect->add_option("IMAGE", flags->names, "Names or ids")->type_name("")->required();
    inspect->footer("Example:\n  gantry image inspect shop:1 | jq -r '.[].digest'");
    add_act(inspect, context, flags, inspect_images);

    auto* saved = command->add_subcommand("save", "Write images with all their layers to an archive, as docker has them");
    saved->add_option("IMAGE", flags->names, "Names or ids")->type_name("")->required();
    saved->add_option("-o,--output", flags->file, "The archive; - is standard output (default)")->type_name("FILE");
    saved->footer("The file appears whole or not at all.\n\n"
                  "Examples:\n"
                  "  gantry image save shop:1 -o shop.tar\n"
                  "  gantry image save shop:1 | gzip | ssh other gantry image load");
    add_act(saved, context, flags, save);

    auto* loaded = command->add_subcommand("load", "Take the images of such an archive in, compressed or not; prints their names");
    loaded->add_option("FILE", flags->file, "The archive; - is standard input (default)")->type_name("FILE");
    loaded->footer("Examples:\n"
                   "  gantry image load shop.tar.gz\n"
                   "  docker save shop:1 | gantry image load");
    add_act(loaded, context, flags, load);

    command->footer("Examples:\n"
                    "  gantry image ls\n"
                    "  gantry image pull registry.example/shop:1\n"
                    "  gantry image save shop:1 -o shop.tar\n"
                    "  gantry image save shop:1 | gzip | ssh other gantry image load");
}

} // namespace gantry::app
