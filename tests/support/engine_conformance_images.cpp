#include "engine/fake/tar.hpp"
#include "support/engine_conformance.hpp"

#include <algorithm>

// Building, naming and listing images.

namespace gantry::test {

using namespace engine;

namespace {

struct Built {
    BuildResult result;
    std::vector<std::string> steps; // "1/2 FROM x"
    std::string out;
};

awaitable<Built> build(EngineBench& bench, std::string dockerfile, std::string tag)
{
    BuildSpec spec;
    spec.labels = bench.labels();
    if (!tag.empty())
        spec.tags = {tag};
    auto pieces = std::make_shared<std::vector<std::string>>();
    const auto archive = write_tar({{"Dockerfile", dockerfile}, {"folder/", ""}, {"folder/file", std::string(3000, 'f')}});
    pieces->push_back(archive.substr(1000));
    pieces->push_back(archive.substr(0, 1000));
    ReadPiece read = [pieces]() -> awaitable<std::string> {
        std::string piece;
        if (!pieces->empty()) {
            piece = pieces->back();
            pieces->pop_back();
        }
        co_return piece;
    };
    Built built;
    TellBuild tell = [&built](const BuildEvent& event) -> awaitable<void> {
        if (event.kind == BuildEvent::Kind::step)
            built.steps.push_back(std::to_string(event.step) + "/" + std::to_string(event.steps) + " " + event.text);
        if (event.kind == BuildEvent::Kind::output)
            built.out += event.text;
        co_return;
    };
    built.result = co_await bench.engine().build_image(spec, read, tell);
    co_return built;
}

awaitable<void> makes_an_image(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto tag = bench.unique_name("built") + ":1";
    const auto built = co_await build(bench, "FROM " + bench.image() + "\nENV A=b\n", tag);
    REQUIRE(built.result.image.has_value());
    REQUIRE(built.steps.size() >= 2); // labels may be one more
    const auto of = "/" + std::to_string(built.steps.size());
    CHECK(built.steps[0] == "1" + of + " FROM " + bench.image());
    CHECK(built.steps[1] == "2" + of + " ENV A=b");
    CHECK(built.result.step == static_cast<int>(built.steps.size()));

    const auto found = co_await engine.find_image(tag);
    REQUIRE(found.has_value());
    CHECK(found->id == built.result.image->id);
    const auto by_id = co_await engine.find_image(found->id);
    CHECK(by_id.has_value());

    const auto other = bench.unique_name("other") + ":2";
    co_await engine.tag_image(found->id, other);
    const auto labels = bench.labels();
    const auto listed = co_await engine.list_images(labels);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].id == found->id);
    CHECK(listed[0].labels.at("gantry.run") == labels.at("gantry.run"));
    auto tags = listed[0].tags;
    std::sort(tags.begin(), tags.end());
    CHECK(tags == std::vector<std::string>{tag, other});

    auto spec = bench.shell("use", scripts::k_two_streams);
    spec.image = other;
    const auto ran = co_await whole_life(bench, spec);
    CHECK(ran.out == "one\ntwo");
    co_await engine.remove(ObjectKind::image, tag);
    co_await engine.remove(ObjectKind::image, other);
    co_await engine.remove(ObjectKind::image, found->id);
    const auto none = co_await engine.list_images(labels);
    CHECK(none.empty());
}

awaitable<void> takes_names_off(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto tag = bench.unique_name("named") + ":1", other = bench.unique_name("named") + ":2", moved = bench.unique_name("named") + ":3";
    const auto built = co_await build(bench, "FROM " + bench.image() + "\nENV A=b\n", tag);
    REQUIRE(built.result.image.has_value());
    const auto id = built.result.image->id;
    co_await engine.tag_image(id, other);
    co_await engine.tag_image(id, moved);
    co_await engine.tag_image(bench.image(), moved);
    auto spec = bench.shell("use", scripts::k_nothing);
    spec.image = other;
    (void)co_await engine.create_container(spec);

    const bool of_another = co_await engine.remove_image(moved, id);
    CHECK_FALSE(of_another);
    const auto still = co_await engine.find_image(moved);
    CHECK(still.has_value());
    co_await engine.remove(ObjectKind::image, moved);
    const bool first = co_await engine.remove_image(tag, id);
    CHECK(first);
    const bool again = co_await engine.remove_image(tag, id);
    CHECK_FALSE(again);
    const auto why = co_await failure_of(engine.remove_image(other, id));
    CHECK(why == "conflict");
    const auto in_use = co_await engine.find_image(other);
    CHECK(in_use.has_value());

    co_await engine.remove(ObjectKind::container, spec.name);
    const bool last = co_await engine.remove_image(other, id);
    CHECK(last);
    const auto gone = co_await engine.find_image(id);
    CHECK_FALSE(gone.has_value());
}

awaitable<void> failing_command(EngineBench& bench)
{
    const auto built = co_await build(bench, "FROM " + bench.image() + "\nRUN echo said; exit 7\nENV A=b\n", "");
    CHECK_FALSE(built.result.image.has_value());
    CHECK(built.result.step == 2);
    CHECK(built.result.exit_code == 7);
    CHECK_FALSE(built.result.error.empty());
    CHECK(built.out == "said\n");
    const auto labels = bench.labels();
    const auto none = co_await bench.engine().list_images(labels);
    CHECK(none.empty());
}

awaitable<void> no_dockerfile(EngineBench& bench)
{
    BuildSpec spec;
    spec.dockerfile = "elsewhere/Dockerfile";
    bool given = false;
    ReadPiece read = [&given]() -> awaitable<std::string> {
        co_return std::exchange(given, true) ? std::string() : write_tar({{"Dockerfile", "FROM x\n"}});
    };
    TellBuild tell = [](const BuildEvent&) -> awaitable<void> { co_return; };
    const auto why = co_await failure_of(bench.engine().build_image(spec, read, tell));
    CHECK(why == "bad_input");
}

awaitable<void> broken_context(EngineBench& bench)
{
    BuildSpec spec;
    ReadPiece read = []() -> awaitable<std::string> { throw Error(Errc::no_space, "the reader's own"); co_return ""; };
    TellBuild tell = [](const BuildEvent&) -> awaitable<void> { co_return; };
    const auto why = co_await failure_of(bench.engine().build_image(spec, read, tell));
    CHECK(why == "no_space");
}

// Gives the archive in pieces of an odd size, so that their borders lie anywhere.
ReadPiece pieces_of(const std::string& archive)
{
    return [&archive, at = std::size_t{0}]() mutable -> awaitable<std::string> {
        const auto piece = archive.substr(at, 30'011);
        at += piece.size();
        co_return piece;
    };
}

awaitable<void> save_and_load(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto tag = bench.unique_name("saved") + ":1";
    const auto built = co_await build(bench, "FROM " + bench.image() + "\nENV A=b\n", tag);
    REQUIRE(built.result.image.has_value());

    std::string archive;
    bool whole = false;
    WritePiece write = [&](std::string_view piece) -> awaitable<void> {
        CHECK_FALSE(whole);
        whole = piece.empty();
        archive += piece;
        co_return;
    };
    const std::vector<std::string> images{tag};
    co_await engine.save_images(images, write);
    CHECK(whole);
    co_await engine.remove(ObjectKind::image, tag);
    co_await engine.remove(ObjectKind::image, built.result.image->id);
    const auto gone = co_await engine.find_image(tag);
    CHECK_FALSE(gone.has_value());

    const auto read = pieces_of(archive);
    const auto loaded = co_await engine.load_images(read);
    CHECK(loaded == images);
    const auto found = co_await engine.find_image(tag);
    CHECK(found.has_value());
    auto spec = bench.shell("use", scripts::k_two_streams);
    spec.image = tag;
    const auto ran = co_await whole_life(bench, spec);
    CHECK(ran.out == "one\ntwo");
    co_await engine.remove(ObjectKind::image, tag);
}

awaitable<void> broken_archives(EngineBench& bench)
{
    auto& engine = bench.engine();
    for (const auto& archive : {std::string(5000, '\0'), "rubbish" + std::string(5000, '\xff'), std::string()}) {
        const auto read = pieces_of(archive);
        const auto why = co_await failure_of(engine.load_images(read));
        CHECK(why == "bad_input");
    }
    const ReadPiece unreadable = []() -> awaitable<std::string> { throw Error(Errc::no_space, "the reader's own"); co_return ""; };
    const auto unread = co_await failure_of(engine.load_images(unreadable));
    CHECK(unread == "no_space");

    bool written = false;
    const WritePiece write = [&written](std::string_view) -> awaitable<void> {
        written = true;
        co_return;
    };
    const std::vector<std::string> some_missing{bench.image(), bench.unique_name("missing") + ":1"};
    const auto missing = co_await failure_of(engine.save_images(some_missing, write));
    CHECK(missing == "not_found");
    CHECK_FALSE(written);
    const WritePiece full = [](std::string_view) -> awaitable<void> { throw Error(Errc::no_space, "the writer's own"); co_return; };
    const std::vector<std::string> there{bench.image()};
    const auto unwritten = co_await failure_of(engine.save_images(there, full));
    CHECK(unwritten == "no_space");
}

awaitable<void> names(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto missing = bench.unique_name("missing") + ":1";
    const auto untagged = co_await failure_of(engine.tag_image(missing, "x:1"));
    CHECK(untagged == "not_found");
    const auto digest = "x@sha256:" + std::string(64, '0');
    const auto bad = co_await failure_of(engine.tag_image(bench.image(), digest));
    CHECK(bad == "bad_input");
    const auto unpushed = co_await failure_of(engine.push_image("127.0.0.1:1/" + missing, nullptr));
    CHECK(unpushed == "not_found");
}

} // namespace

std::vector<ConformanceCase> image_cases()
{
    return {
        {"an image is built, named, listed and used", makes_an_image},
        {"a name is taken off the image that is meant, and the last one only where no container has it", takes_names_off},
        {"a command of a build that fails is a result", failing_command},
        {"a build without its Dockerfile is bad input", no_dockerfile},
        {"a context that cannot be read ends the build with its reader's error", broken_context},
        {"only what is there can be named and pushed", names},
        {"an image that was saved and removed is loaded again, and can be used", save_and_load},
        {"archives end with the error of whoever cannot read or write them", broken_archives},
    };
}

} // namespace gantry::test
