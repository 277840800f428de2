#include "pipeline/frontend/yaml_events.hpp"
#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

// Texts that are not YAML: what people are told, and where.

using namespace gantry::pipeline;
using native::YamlEvent;
using native::YamlEvents;

namespace {

// "line:column message | hint" of the only problem.
std::string told_of(const std::string& text)
{
    const auto parsed = parse_text(text);
    if (parsed.diagnostics.size() != 1)
        return problems_of(parsed);
    const auto& problem = parsed.diagnostics[0];
    return std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + " " + problem.message +
           (problem.hint.empty() ? "" : " | " + problem.hint);
}

struct Case {
    const char* text;
    const char* told;
};

const Case k_cases[] = {
    {"steps:\n  - a\n - b\n", "3:2 this line does not continue the map above it | check its indentation"},
    {"steps:\n  - a\n  b: c\n", "3:3 this line does not continue the list above it | each item starts with '- ' in the same column"},
    {"a: \"b\" c\n", "1:8 nothing can follow the value on its line | put all of it in quotes"},
    {"steps:\n- [b] c\n", "2:7 nothing can follow the value on its line | put all of it in quotes"},
    {"a: 1\nb\nc: 2\n", "2:1 a ':' is missing behind this key | write key: value, or check the indentation"},
    {"a: 1\n\"b\n c\": 2\n", "2:1 this quote is closed on another line | close it where its text ends"},
    {"a: {b: c\nd: e\n", "1:4 a '{' is not closed | add '}', or put text that contains { } , in quotes"},
    {"a: [b, c\nd: e\n", "1:4 a '[' is not closed | add ']', or put text that contains [ ] , in quotes"},
    {"a: [b, , c]\n", "1:8 something is missing before this, inside of [ ] or { } | put text that contains , [ ] { } in quotes"},
    {"a: }\n", "1:4 a closing bracket without its opening one | put the text in quotes"},
    {"a: b\n}\n", "2:1 a closing bracket without its opening one | put the text in quotes"},
    {"- a\n]\n", "2:1 a closing bracket without its opening one | put the text in quotes"},
    {"[a]]\n", "1:4 a closing bracket without its opening one | put the text in quotes"},
    {"a: , b\n", "1:4 this cannot start a value | put the text in quotes"},
    {"[a] b\n", "1:5 the document has ended before this | check the indentation and the brackets"},
    {"a: \"b\n", "1:4 a quote is not closed"},
    {"a: 'b\n---\n", "1:4 a quote is not closed before '---'"},
    {"a: b: c\n", "1:5 a ':' cannot stand here | put text that contains ': ' in quotes"},
    {"a: [b:]\n", "1:6 a ':' cannot stand here | put text that contains ':' in quotes"},
    {"a: ? b\n", "1:4 a key cannot stand here | check the indentation"},
    {"a: - b\n", "1:4 a list item cannot stand here | check its indentation"},
    {"a: @b\n", "1:4 this character cannot start a value | put the text in quotes"},
    {"%foo bar\n---\na: b\n", "1:1 a line that starts with '%' is an instruction to YAML, and this is none | put the text in quotes"},
    {"%YAML x\n---\na: b\n", "1:1 a line that starts with '%' is an instruction to YAML, and this is none | put the text in quotes"},
    {"%YAML 3.0\n---\na: b\n", "1:1 this is not YAML 1.1 or 1.2 | remove the line"},
    {"%YAML 1.2\n%YAML 1.2\n---\na: b\n", "2:1 a second %YAML line | remove it"},
    {"%TAG ! tag:x,\n%TAG ! tag:x,\n---\na: b\n", "2:1 a second %TAG line for the same tags | remove it"},
    {"%TAG x\n---\na: b\n", "1:1 this is not a tag | put the text in quotes"},
    {"a: \"\\q\"\n", "1:5 unknown escape in double quotes | write \\\\ for a backslash, or use single quotes"},
    {"a: \"\\xzz\"\n", "1:7 an escape lacks digits: \\x takes two, \\u four, \\U eight | write \\\\ for a backslash, or use single quotes"},
    {"a: \"\\ud800\"\n", "1:7 no character has this number"},
    {"a: |0\n x\n", "1:5 0 is not an indentation"},
    {"a: | x\n  y\n", "1:6 only a comment may follow on this line | start the text on the next one"},
    {"a: & b\n", "1:4 a '&' must be followed by a name | of letters, digits, '_' and '-'; or put the text in quotes"},
    {"a: *\n", "1:4 a '*' must be followed by the name of an anchor | put the text in quotes"},
    {"a: *b\n", "1:4 no anchor 'b' stands above | define it with &name; or put the text in quotes"},
    {"a: !<x b\n", "1:4 this is not a tag | put the text in quotes"},
    {"a: !%zz b\n", "1:4 this is not a tag | put the text in quotes"},
    {"a: !e!x b\n", "1:4 no %TAG line says what this tag means | put the text in quotes"},
    {"a: |\n\tx\n", "2:1 a tab cannot indent | use spaces"},
    {"a: b\n\tc: d\n", "2:1 a tab cannot indent | use spaces"},
    {"a: b\nc:\n-\td: e\n", "3:2 a tab cannot indent | use spaces"},
    {"- { a: b, c: ${{ d }} }\n", "1:15 a '{' is not closed | inside { } and [ ], put text with ${{ }} in quotes"},
    {"\xc3\xa9: \"\xc3\xbc\" x\n", "1:10 nothing can follow the value on its line | put all of it in quotes"},
    {"a: \xc2\x80\n", "1:4 the character U+0080 cannot stand here | in double quotes, write it as \\u0080"},
    {"a: x\xef\xbf\xbf\n", "1:5 the character U+FFFF cannot stand here | in double quotes, write it as \\uffff"},
    {"a: x\xef\xbf\xbe\n", "1:5 the character U+FFFE cannot stand here | in double quotes, write it as \\ufffe"},
};

} // namespace

TEST_CASE("what is not YAML is told in words for people, with its place", "[pipeline][syntax]")
{
    for (const auto& [text, told] : k_cases) {
        CAPTURE(text);
        CHECK(told_of(text) == told);
    }
}

TEST_CASE("YAML that looks odd is read", "[pipeline][syntax]")
{
    CHECK(problems_of("steps: [a]\nx-a: \xef\xbf\xbd \xc3\xa9 \xf0\x9f\x9a\xa2\nx-b: \"\\u0080\"\n").empty());
    CHECK(problems_of("%YAML 1.2\n---\nsteps: [a]\n...\n").empty());
    CHECK(problems_of("x-a: &a1 {k: v}\nsteps:\n- {run: a, env: *a1}\n").empty());
    CHECK(problems_of("? steps\n: - a\nx-a: {\"k\":v, on: tru?e}\nx-b: http://a.b:80/?c=d#e\n").empty());
}

TEST_CASE("events stand at bytes, whatever the characters", "[pipeline][syntax]")
{
    const std::string text = "\xc3\xa9: &a \xe2\x82\xac\n\xf0\x9f\x9a\xa2: ['\xc3\xbc', *a, !!str x, ~]\n";
    YamlEvents events(text);
    std::string seen;
    while (const auto* event = events.next())
        seen += std::to_string(static_cast<int>(event->kind)) + "@" + std::to_string(event->offset) + "=" + std::string(event->text) +
                (event->anchor.empty() ? "" : "&" + std::string(event->anchor)) + (event->tag.empty() ? "" : "!") +
                (event->style == YamlEvent::Style::quoted ? "'" : "") + " ";

    CHECK_FALSE(events.error());
    CHECK(seen == "0@0= 4@0= 2@0=\xc3\xa9 2@4=\xe2\x82\xac&a 2@11=\xf0\x9f\x9a\xa2 3@17= 2@18=\xc3\xbc' 1@24=a 2@28=x! 2@37=~ 5@38= 5@40= ");
}

TEST_CASE("events end at the first error and stay ended", "[pipeline][syntax]")
{
    YamlEvents events("\xc3\xa9: [b\n");
    while (events.next())
        ;
    REQUIRE(events.error());
    CHECK(events.error()->problem == "did not find expected ',' or ']'");
    CHECK(events.error()->context_offset == 4);
    CHECK(events.next() == nullptr);
}

TEST_CASE("what stands beside stages is told where it can stand", "[pipeline][native]")
{
    const auto beside = [](const std::string& key) { return problems_of(key + "\nstages: [{ name: a, image: i, steps: [x] }]\n"); };
    for (const auto* key : {"compose: c.yml", "finally: [x]", "services: {}", "caches: [/c]"}) {
        CAPTURE(key);
        CHECK_THAT(beside(key), ContainsSubstring("cannot stand beside 'stages'") && !ContainsSubstring("or under 'defaults'"));
    }
    for (const auto* key : {"image: i", "shell: [sh]", "user: me"}) {
        CAPTURE(key);
        CHECK_THAT(beside(key), ContainsSubstring("cannot stand beside 'stages'") && ContainsSubstring("or under 'defaults'"));
    }
}
