#include "app/view/views.hpp"

#include "base/format.hpp"
#include "support/catch.hpp"
#include "view_world.hpp"

#include <nlohmann/json.hpp>

using namespace gantry;
using engine::Stream;
using runner::Cause;
using test::ViewFixture;
using Kind = runner::RunEvent::Kind;

namespace {

std::vector<nlohmann::json> lines_of(const std::string& text)
{
    std::vector<nlohmann::json> lines;
    for (const auto& line : split(text, '\n'))
        if (!line.empty())
            lines.push_back(nlohmann::json::parse(line));
    return lines;
}

std::string text_of(const nlohmann::json& line)
{
    return line.contains("text") ? line["text"].get<std::string>() : *base64_decode(line["base64"].get<std::string>());
}

} // namespace

TEST_CASE("each event and each piece of output is a line of JSON on standard output, and nothing else is", "[app]")
{
    ViewFixture world;
    const auto view = app::make_json_view({}, world.world);
    view->begin(world.plan, "17", "header");

    world.tell(*view, world.event(Kind::run_started));
    view->on_waiting("for a place");
    view->on_output({"build", "compile", 2}, Stream::err, "warning\n");
    world.tell(*view, world.ended("build", "compile", Cause::ok, std::chrono::seconds(1)));
    view->end(world.summary(), {});

    CHECK(world.err.text.empty());
    const auto lines = lines_of(world.out.text);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0]["event"] == "run_started");
    CHECK(lines[0]["run"] == "17");
    CHECK(lines[1]["event"] == "waiting");
    CHECK(lines[1]["message"] == "for a place");
    CHECK(lines[2]["event"] == "output");
    CHECK(lines[2]["stage"] == "build");
    CHECK(lines[2]["step"] == "compile");
    CHECK(lines[2]["attempt"] == 2);
    CHECK(lines[2]["stream"] == "err");
    CHECK(lines[2]["text"] == "warning\n");
    CHECK(lines[3]["state"] == "success");
}

TEST_CASE("the pieces of a step's output joined are its bytes, also where they are not UTF-8", "[app]")
{
    std::string bytes = "h\xc3\xa9llo \xe2\x9c\x93 \xf0\x9f\x98\x80 \xff\xfe end\xe2\x9c"; // cut at the end
    const auto cut = GENERATE(1, 2, 3, 5, 100);
    ViewFixture world;
    const auto view = app::make_json_view({}, world.world);

    for (std::size_t at = 0; at < bytes.size(); at += static_cast<std::size_t>(cut))
        view->on_output({"build", "compile", 1}, Stream::out, std::string_view(bytes).substr(at, static_cast<std::size_t>(cut)));
    world.tell(*view, world.ended("build", "compile", Cause::ok, std::chrono::seconds(1)));

    std::string joined;
    int in_base64 = 0;
    for (const auto& line : lines_of(world.out.text))
        if (line["event"] == "output") {
            joined += text_of(line);
            in_base64 += line.contains("base64") ? 1 : 0;
        }
    CHECK(joined == bytes);
    if (cut < 100)
        CHECK(in_base64 <= 4); // whole characters that are cut by pieces stay text
}
