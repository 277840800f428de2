#include "pipeline/diagnostic.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace gantry::pipeline;

namespace {

Diagnostic problem(Mark mark, std::size_t length, std::string message = "wrong", std::string hint = "")
{
    return {Severity::error, "some-code", std::move(message), mark, length, "stages[0]", std::move(hint)};
}

std::string rendered(const std::string& text, Mark mark, std::size_t length, std::string hint = "")
{
    return render_text({problem(mark, length, "wrong", std::move(hint))}, {{"a.yml", text}});
}

} // namespace

TEST_CASE("a problem is shown with its line, a caret under it and its hint", "[pipeline]")
{
    const Sources sources{{".gantry.yml", "stages:\n\n  - name: x\n    neds: [build]\n"}};

    CHECK(render_text({problem({0, 4, 5}, 4, "unknown key 'neds' in a stage", "did you mean 'needs'?")}, sources) ==
          ".gantry.yml:4:5: error: unknown key 'neds' in a stage\n"
          "   4 │     neds: [build]\n"
          "     │     ^~~~ did you mean 'needs'?\n"
          "1 problem in 1 file\n");
}

TEST_CASE("the caret stands under its character after tabs, accents and wide characters", "[pipeline]")
{
    CHECK_THAT(rendered("a\tbad", {0, 1, 3}, 3), ContainsSubstring("   1 │ a    bad\n     │      ^~~\n"));
    CHECK_THAT(rendered("né bad", {0, 1, 5}, 3), ContainsSubstring("   1 │ né bad\n     │    ^~~\n"));
    CHECK_THAT(rendered("日本 bad", {0, 1, 8}, 3), ContainsSubstring("   1 │ 日本 bad\n     │      ^~~\n"));
    CHECK_THAT(rendered("x 日本 y", {0, 1, 3}, 6), ContainsSubstring("     │   ^~~~\n"));
}

TEST_CASE("a mark beyond its line or its file is shown without harm", "[pipeline]")
{
    CHECK_THAT(rendered("ab\n", {0, 1, 9}, 3), ContainsSubstring("a.yml:1:9: error: wrong\n   1 │ ab\n"));
    CHECK_THAT(rendered("ab", {0, 7, 1}, 1), ContainsSubstring("a.yml:7:1: error: wrong\n   7 │\n"));
    CHECK_THAT(rendered("ab\r\n", {0, 1, 1}, 99), ContainsSubstring("   1 │ ab\n     │ ^~\n"));
    CHECK(rendered("ab", {0, 0, 0}, 1, "look elsewhere") == "a.yml: error: wrong\n     look elsewhere\n1 problem in 1 file\n");
    CHECK_THAT(render_text({problem({5, 1, 1}, 1)}, {}), ContainsSubstring("?:1:1: error: wrong"));
}

TEST_CASE("of a long line only what is around the problem is shown", "[pipeline]")
{
    const std::string line = std::string(5000, 'a') + "bad" + std::string(100'000, 'b');

    const auto text = rendered(line, {0, 1, 5001}, 3);

    CHECK(text.size() < 500);
    CHECK_THAT(text, ContainsSubstring("   1 │ …" + std::string(50, 'a') + "badb"));
    CHECK_THAT(text, ContainsSubstring("     │  " + std::string(50, ' ') + "^~~\n"));
    CHECK_THAT(rendered(std::string(300, 'a'), {0, 1, 2}, 1), ContainsSubstring("   1 │ " + std::string(100, 'a') + "…\n     │  ^\n"));
}

TEST_CASE("control characters of a file cannot drive the terminal", "[pipeline]")
{
    const auto text = render_text({problem({0, 1, 1}, 1, "bad \x1b[2J")}, {{"a\x1b.yml", "\x1b]0;x\x07 bad\xff"}});

    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x07') == std::string::npos);
}

TEST_CASE("characters that reorder a line are shown as what they are, with the caret in its place", "[pipeline]")
{
    CHECK_THAT(rendered("a\u202eb bad", {0, 1, 7}, 3), ContainsSubstring("   1 │ a\\xe2\\x80\\xaeb bad\n     │ " + std::string(15, ' ') + "^~~\n"));
}

TEST_CASE("problems and files are counted", "[pipeline]")
{
    const Sources sources{{"a.yml", "a\n"}, {"b.yml", "b\n"}};

    CHECK(render_text({}, sources).empty());
    CHECK_THAT(render_text({problem({0, 1, 1}, 1), problem({1, 1, 1}, 1)}, sources), ContainsSubstring("2 problems in 2 files\n"));
}

TEST_CASE("problems are sorted by file, line and column; warnings are no errors", "[pipeline]")
{
    Diagnostics list{problem({1, 1, 1}, 1, "d"), problem({0, 2, 1}, 1, "b"), problem({0, 2, 9}, 1, "c"), problem({0, 1, 7}, 1, "a")};

    sort_by_position(list);

    std::string order;
    for (const auto& item : list)
        order += item.message;
    CHECK(order == "abcd");
    CHECK(has_errors(list));
    for (auto& item : list)
        item.severity = Severity::warning;
    CHECK_FALSE(has_errors(list));
    CHECK_THAT(render_text(list, {{"a", ""}, {"b", ""}}), ContainsSubstring("a:1:7: warning: a"));
}

TEST_CASE("of very many problems the first ones are kept, and an error stays one", "[pipeline]")
{
    const auto some = [](std::size_t warnings, std::size_t errors) {
        Diagnostics list;
        for (std::size_t i = 0; i < warnings + errors; ++i)
            list.push_back({i < warnings ? Severity::warning : Severity::error, "code", "one", {0, static_cast<int>(i + 1), 1}, 1, "", ""});
        keep_first(list);
        return list;
    };
    CHECK(some(100, 1).size() == 101); // the reader's own limit has its word at the end
    const auto mixed = some(150, 50);
    REQUIRE(mixed.size() == 101);
    CHECK(mixed.back().message == "100 more problems, which are not shown");
    CHECK(mixed.back().mark.line == 101);
    CHECK(has_errors(mixed));
    CHECK_FALSE(has_errors(some(200, 0)));
}

TEST_CASE("colours are put around, and nothing else changes", "[pipeline]")
{
    const Sources sources{{"a.yml", "abc\n"}};
    const auto coloured = render_text({problem({0, 1, 1}, 3)}, sources, Ansi::on);

    std::string plain;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\x1b')
            i = coloured.find('m', i);
        else
            plain += coloured[i];
    }
    CHECK(coloured != plain);
    CHECK(plain == render_text({problem({0, 1, 1}, 3)}, sources));
}

TEST_CASE("as JSON a problem has all that is known of it", "[pipeline]")
{
    const auto json = nlohmann::json::parse(render_json({problem({0, 4, 5}, 4, "m", "h")}, {{"a.yml", ""}}));

    CHECK(json == nlohmann::json::parse(R"([{"file": "a.yml", "line": 4, "column": 5, "length": 4, "severity": "error",
        "code": "some-code", "message": "m", "path": "stages[0]", "hint": "h"}])"));
    CHECK(nlohmann::json::parse(render_json({}, {})) == nlohmann::json::array());
    CHECK(nlohmann::json::parse(render_json({problem({0, 1, 1}, 1, "\xff")}, {{"\xfe", ""}})).size() == 1);
}

TEST_CASE("as SARIF a problem has a rule, a place in code points and an escaped address", "[pipeline]")
{
    const auto json = nlohmann::json::parse(
        render_sarif({problem({0, 1, 4}, 3, "m", "h"), problem({0, 0, 0}, 1)}, {{"a b/ü.yml", "é bad\n"}}, "0.1"));

    CHECK(json["version"] == "2.1.0");
    const auto& run = json["runs"][0];
    CHECK(run["tool"]["driver"]["version"] == "0.1");
    CHECK(run["tool"]["driver"]["rules"].size() == 1);
    CHECK(run["columnKind"] == "unicodeCodePoints");
    const auto& result = run["results"][0];
    CHECK(result["ruleId"] == "some-code");
    CHECK(result["level"] == "error");
    CHECK(result["message"]["text"] == "m (h)");
    const auto& place = result["locations"][0]["physicalLocation"];
    CHECK(place["artifactLocation"]["uri"] == "a%20b/%C3%BC.yml");
    CHECK(place["region"] == nlohmann::json::parse(R"({"startLine": 1, "startColumn": 3, "endColumn": 6})"));
    CHECK_FALSE(run["results"][1]["locations"][0]["physicalLocation"].contains("region"));
}
