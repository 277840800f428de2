#include "pipeline/frontend/compose_template.hpp"

#include "support/catch.hpp"

#include <map>

using namespace gantry::pipeline;
using namespace gantry::pipeline::native;

namespace {

Interpolated interpolated(const std::string& source)
{
    static const std::map<std::string, Text> variables{{"A", "a"},
                                                       {"EMPTY", ""},
                                                       {"_x1", "under"},
                                                       {"DOLLAR", "$"},
                                                       {"VALUE", "$A ${A}"},
                                                       {"LONG", std::string(40'000, 'x')},
                                                       {"SHA", Text(std::vector<Text::Part>{{true, "sha", {}}})}};
    return interpolate(source, [](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : &found->second;
    });
}

// The text, or "OFFSET: what is wrong".
std::string result_of(const std::string& source)
{
    const auto result = interpolated(source);
    return result.problem ? std::to_string(result.problem->offset) + ": " + result.problem->message : result.text;
}

} // namespace

TEST_CASE("Compose's variables are put in by its rules", "[pipeline][compose]")
{
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {"plain {text} }", "plain {text} }"},
        {"$A", "a"},
        {"<$A>", "<a>"},
        {"$A-$A", "a-a"},
        {"$Ab", ""},
        {"${A}b", "ab"},
        {"$_x1.", "under."},
        {"$$A", "$A"},
        {"$$$A", "$a"},
        {"$$$$", "$$"},
        {"$${A}", "${A}"},
        {"${NONE}", ""},
        {"${A:-d}", "a"},
        {"${NONE:-d}", "d"},
        {"${EMPTY:-d}", "d"},
        {"${EMPTY-d}", ""},
        {"${NONE-d}", "d"},
        {"${NONE:-}", ""},
        {"${NONE:-a:b-c?d+e}", "a:b-c?d+e"},
        {"${NONE:-${A}}", "a"},
        {"${NONE:-${ALSO:-${A}x}y}z", "axyz"},
        {"${NONE:-{\"k\": {}}}", "{\"k\": {}}"},
        {"${NONE:-$$A}", "$A"},
        {"${A:+o}", "o"},
        {"${A+o}", "o"},
        {"${EMPTY:+o}", ""},
        {"${EMPTY+o}", "o"},
        {"${NONE:+o}", ""},
        {"${NONE+o}", ""},
        {"${A:+${A}${A}}", "aa"},
        {"${A:?needed}", "a"},
        {"${EMPTY?needed}", ""},
        {"$VALUE", "$A ${A}"}, // what is put in is not looked at again
        {"${SHA:-d}-$SHA", "${{ sha }}-${{ sha }}"},
        {"${SHA:+set}", "set"},
        {"{{.Node.Hostname}}", "{{.Node.Hostname}}"},
    };
    for (const auto& [source, expected] : cases) {
        CAPTURE(source);
        CHECK(result_of(source) == expected);
    }
}

TEST_CASE("what is no variable is refused where it stands", "[pipeline][compose]")
{
    const std::pair<const char*, const char*> cases[] = {
        {"a $", "2: this '$' does not begin the name of a variable"},
        {"$1", "0: this '$' does not begin the name of a variable"},
        {"$(date)", "0: this '$' does not begin the name of a variable"},
        {"x${A", "1: '${' is not closed by '}'"},
        {"${}", "0: '${' is not followed by the name of a variable"},
        {"${1}", "0: '${' is not followed by the name of a variable"},
        {"${A!x}", "3: '!x' cannot follow the name 'A'"},
        {"${A:}", "3: ':' cannot follow the name 'A'"},
        {"${A:=x}", "3: ':=x' cannot follow the name 'A'"},
        {"${A }", "3: ' ' cannot follow the name 'A'"},
        {"${NONE:?tell $A}", "0: the variable 'NONE' needs a value: tell a"},
        {"${NONE?}", "0: the variable 'NONE' needs a value"},
        {"${EMPTY:?}", "0: the variable 'EMPTY' needs a value"},
        {"x ${{ sha }}", "2: '${{' has no meaning in a Compose file"},
        {"$${{ sha }}", "1: '${{' has no meaning in a Compose file"},
        {"${DOLLAR}{{ sha }}", "0: the values put together here make a '${{'"},
        {"$$${A:+{{}sha}}", "0: the values put together here make a '${{'"},
    };
    for (const auto& [source, expected] : cases) {
        CAPTURE(source);
        CHECK(result_of(source) == expected);
    }
}

TEST_CASE("only what is needed is computed", "[pipeline][compose]")
{
    CHECK(result_of("${A:-${NONE:?}}") == "a");
    CHECK(result_of("${NONE:+$1}").empty());
}

TEST_CASE("variables without value are listed", "[pipeline][compose]")
{
    const auto result = interpolated("$A $NONE ${ALSO} ${WITH:-default} ${OTHER+x}");
    REQUIRE(result.unset.size() == 2);
    CHECK(result.unset[0].name == "NONE");
    CHECK(result.unset[0].offset == 3);
    CHECK(result.unset[1].name == "ALSO");
}

TEST_CASE("nesting and length have limits", "[pipeline][compose]")
{
    std::string nested;
    for (int i = 0; i < 1000; ++i)
        nested += "${NONE:-";
    CHECK(result_of(nested + std::string(1000, '}')).find("nested deeper") != std::string::npos);
    CHECK(result_of("$LONG $LONG $LONG").find("longer than 65536 bytes") != std::string::npos);
    CHECK(result_of("${NONE:-$LONG$LONG}").find("longer than 65536 bytes") != std::string::npos);
}
