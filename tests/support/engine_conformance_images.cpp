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
        {"a command of a build that fails is a result", failing_command},
        {"a build without its Dockerfile is bad input", no_dockerfile},
        {"a context that cannot be read ends the build with its reader's error", broken_context},
        {"only what is there can be named and pushed", names},
    };
}

} // namespace gantry::test
