#include "engine/fake/daemon.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"
#include "base/utf8.hpp"

#include <algorithm>

// Building, naming and pushing images at the fake engine. Its registries take everything and keep it.

namespace gantry::engine {

namespace {

// Each line that is no comment is an instruction.
std::vector<BuildEvent> steps_of(const std::string& dockerfile)
{
    std::vector<BuildEvent> steps;
    for (const auto& line : split(dockerfile, '\n')) {
        const auto instruction = trim(line);
        if (instruction.empty() || instruction.front() == '#')
            continue;
        BuildEvent event;
        event.kind = BuildEvent::Kind::step;
        event.step = static_cast<int>(steps.size()) + 1;
        event.text = instruction;
        steps.push_back(std::move(event));
    }
    for (auto& step : steps)
        step.steps = static_cast<int>(steps.size());
    return steps;
}

std::string dockerfile_in(const FakeDaemon& daemon, const BuildSpec& spec, const std::string& context)
{
    const auto files = read_tar(context);
    const auto found = files.find(spec.dockerfile);
    if (found != files.end())
        return found->second;
    if (daemon.settings.keeps_uploads)
        throw Error(Errc::bad_input, "Cannot locate specified Dockerfile: " + spec.dockerfile);
    return {};
}

std::string registry_of(const std::string& image)
{
    return image.substr(0, image.find('/'));
}

} // namespace

void FakeDaemon::tag(const std::string& image, const std::string& tag)
{
    if (tag.empty() || tag.find('@') != std::string::npos)
        throw Error(Errc::bad_input, "no image can be named " + tag);
    if (!has_image(image))
        throw Error(Errc::not_found, "no such image: " + image);
    const auto named = named_images.find(image);
    auto tagged = named == named_images.end() ? FakeImage() : named->second;
    tagged.id = image_info(image).id;
    named_images[tag] = std::move(tagged);
    made_images.insert(full_name(tag));
    imported.erase(full_name(tag));
}

awaitable<BuildResult> FakeEngine::build_image(const BuildSpec& spec, ReadPiece context, TellBuild tell)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"build_image", spec.tags.empty() ? std::string() : spec.tags.front(), spec.dockerfile};
    co_await daemon->arrive(call);
    std::string archive;
    while (spec.remote.empty()) {
        const std::string piece = co_await context();
        daemon->check_connection(call);
        if (piece.empty())
            break;
        archive += piece;
    }
    const auto dockerfile = spec.remote.empty() ? dockerfile_in(*daemon, spec, archive) : "FROM " + spec.remote;
    if (daemon->settings.keeps_uploads)
        daemon->builds.push_back({spec, archive});
    FakeBuildBehaviour behaviour;
    if (daemon->settings.on_build)
        behaviour = daemon->settings.on_build(spec, dockerfile);
    const auto says = behaviour.says ? *behaviour.says : steps_of(dockerfile);
    BuildResult result;
    for (const auto& event : says) {
        result.step = std::max(result.step, event.step);
        co_await tell(event);
        daemon->check_connection(call);
    }
    if (behaviour.runs_for.count() > 0)
        co_await daemon->clock.sleep_for(behaviour.runs_for);
    daemon->check_connection(call);
    if (behaviour.exit_code != 0) {
        result.exit_code = behaviour.exit_code;
        result.error = behaviour.error;
    } else {
        const auto id = "sha256:" + sha256_hex(archive + dockerfile);
        daemon->named_images[id] = FakeImage{id, spec.labels, daemon->clock.wall()};
        daemon->made_images.insert(full_name(id));
        for (const auto& tag : spec.tags)
            daemon->tag(id, tag);
        result.image = daemon->image_info(id);
    }
    co_await daemon->answer(call);
    co_return result;
}

awaitable<void> FakeEngine::tag_image(const std::string& image, const std::string& tag)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"tag_image", image, tag};
    co_await daemon->arrive(call);
    daemon->tag(image, tag);
    co_await daemon->answer(call);
}

awaitable<Pushed> FakeEngine::push_image(const std::string& image, std::function<void(const PushProgress&)> progress)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"push_image", image, {}};
    co_await daemon->arrive(call);
    if (!daemon->has_image(image))
        throw Error(Errc::not_found, "An image does not exist locally with the tag: " + image);
    const auto id = daemon->image_info(image).id;
    PushProgress sum;
    sum.image = image;
    sum.layers_total = sum.layers_done = 1;
    sum.layers_there = daemon->pushed.insert(registry_of(image) + " " + id).second ? 0 : 1;
    if (progress)
        progress(sum);
    Pushed pushed;
    pushed.digest = "sha256:" + sha256_hex("manifest of " + id);
    pushed.layers = 1;
    pushed.layers_there = sum.layers_there;
    co_await daemon->answer(call);
    co_return pushed;
}

// Its archives are lists of names, a line each.
awaitable<void> FakeEngine::save_images(const std::vector<std::string>& images, WritePiece archive)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"save_images", join(images, " "), {}};
    co_await daemon->arrive(call);
    for (const auto& image : images)
        if (!daemon->has_image(image))
            throw Error(Errc::not_found, "no such image: " + image);
    for (const auto& image : images) {
        const auto line = image + "\n";
        co_await archive(line);
        daemon->check_connection(call);
    }
    co_await archive(std::string_view());
    co_await daemon->answer(call);
}

awaitable<std::vector<std::string>> FakeEngine::load_images(ReadPiece archive)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"load_images", {}, {}};
    co_await daemon->arrive(call);
    std::string text;
    for (;;) {
        const std::string piece = co_await archive();
        daemon->check_connection(call);
        if (piece.empty())
            break;
        text += piece;
    }
    if (text.find('\0') != std::string::npos || !is_utf8(text))
        throw Error(Errc::bad_input, "cannot load this archive");
    std::vector<std::string> loaded;
    for (const auto& line : split(text, '\n'))
        if (!line.empty())
            loaded.push_back(line);
    if (loaded.empty())
        throw Error(Errc::bad_input, "there is no image in this archive");
    for (const auto& image : loaded)
        daemon->made_images.insert(full_name(image));
    co_await daemon->answer(call);
    co_return loaded;
}

awaitable<std::vector<ImageEntry>> FakeEngine::list_images(const Labels& labels)
{
    const auto daemon = daemon_;
    FakeDaemon::Call call;
    call.what = {"list_images", {}, {}};
    co_await daemon->arrive(call);
    std::map<std::string, ImageEntry> by_id;
    for (const auto& [name, image] : daemon->named_images) {
        if (!carries(image.labels, labels))
            continue;
        auto& entry = by_id[image.id];
        entry.id = image.id;
        entry.labels = image.labels;
        entry.size_bytes = daemon->image_info(name).size_bytes;
        if (name != image.id)
            entry.tags.push_back(name);
    }
    std::vector<ImageEntry> images;
    for (auto& [id, entry] : by_id)
        images.push_back(std::move(entry));
    std::sort(images.begin(), images.end(), [](const ImageEntry& a, const ImageEntry& b) { return a.tags < b.tags; });
    co_await daemon->answer(call);
    co_return images;
}

} // namespace gantry::engine
