#include "pipeline/expression.hpp"

#include "pipeline/expression_patterns.hpp"
#include "pipeline/expression_tree.hpp"
#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <random>

using namespace gantry::pipeline;

namespace {

Scope scope_of(Object values)
{
    Scope scope;
    scope.find = [values](const std::string& name) -> std::optional<Value> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
    return scope;
}

Object some_values()
{
    return {{"branch", Value("release/2")},
            {"event", Value("push")},
            {"tag", Value("")},
            {"matrix", Object{{"go", Value("1.22")}, {"gpu", Value(true)}}},
            {"pull_request", Value()},
            {"changed_files", List{Value("src/a.cpp"), Value("docs/b.md")}}};
}

std::string computed(const std::string& source)
{
    const auto parsed = parse_expression(source);
    if (!parsed.expression)
        return "does not parse: " + parsed.error;
    const auto result = evaluate(*parsed.expression, scope_of(some_values()));
    if (!result.error.empty())
        return "error: " + result.error;
    return result.value ? to_text(*result.value) : "unknown";
}

std::string refused(const std::string& source)
{
    const auto parsed = parse_expression(source);
    return parsed.expression ? "parsed" : std::to_string(parsed.offset) + ": " + parsed.error + " | " + parsed.hint;
}

} // namespace

TEST_CASE("operators compare, order and connect values", "[expression]")
{
    CHECK(computed("branch == 'release/2'") == "true");
    CHECK(computed("branch != 'main' && event == 'push'") == "true");
    CHECK(computed("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3") == "true");
    CHECK(computed("'b' > 'a'") == "true");
    CHECK(computed("!tag") == "true");
    CHECK(computed("tag || 'none'") == "none");
    CHECK(computed("branch == 'main' && 'prod' || 'staging'") == "staging");
    CHECK(computed("branch in ['main', 'release/2']") == "true");
    CHECK(computed("'docs/b.md' in changed_files") == "true");
    CHECK(computed("'go' in matrix") == "true");
    CHECK(computed("branch matches '^release/[0-9]+$'") == "true");
    CHECK(computed("!branch == 'x'") == "false");
}

TEST_CASE("text that reads as a number or a truth value equals it", "[expression]")
{
    CHECK(computed("matrix.go == 1.22") == "true");
    CHECK(computed("matrix.go > 1.3") == "false");
    CHECK(computed("matrix.gpu == 'true'") == "true");
    CHECK(computed("null == ''") == "true");
    CHECK(computed("'a' == 0") == "false");
    CHECK(computed("false == ''") == "false");
}

TEST_CASE("members are reached by dots and brackets, and absent ones are null", "[expression]")
{
    CHECK(computed("matrix['go']") == "1.22");
    CHECK(computed("changed_files[1]") == "docs/b.md");
    CHECK(computed("changed_files.0") == "src/a.cpp");
    CHECK(computed("changed_files[7]").empty());
    CHECK(computed("pull_request.number").empty());
    CHECK(computed("matrix.rust").empty());
    CHECK(computed("branch.name") == "error: text has no members");
    CHECK(computed("changed_files.first") == "error: a list is indexed by a number from 0, not by text");
}

TEST_CASE("functions do what they are called", "[expression]")
{
    CHECK(computed("contains(branch, 'lease')") == "true");
    CHECK(computed("contains(changed_files, 'src/a.cpp')") == "true");
    CHECK(computed("startsWith(branch, 'release/')") == "true");
    CHECK(computed("endsWith(branch, '/2')") == "true");
    CHECK(computed("format('{1}-{0} {{x}}', 'a', 2)") == "2-a {x}");
    CHECK(computed("join(changed_files, ' ')") == "src/a.cpp docs/b.md");
    CHECK(computed("default(tag, 'v0')") == "v0");
    CHECK(computed("format('{2}', 'a')") == "error: format() uses {2} but has 1 value");
    CHECK(computed("format('{a}')") == "error: format() has a '{' without a number: write {0}, or {{ for a brace");
}

TEST_CASE("what is not known yet stays unknown unless it does not matter", "[expression]")
{
    CHECK(computed("steps.a.outputs.x") == "unknown");
    CHECK(computed("success()") == "unknown");
    CHECK(computed("branch == 'main' && steps.a.outputs.x == '1'") == "false");
    CHECK(computed("event == 'push' || failure()") == "true");
    CHECK(computed("steps.a.outputs.x == '1' || true") == "unknown");
    CHECK(computed("format('{0}', steps.a.image)") == "unknown");
}

TEST_CASE("errors name the place and what to do", "[expression]")
{
    CHECK(refused("brnach == 'x'") == "0: 'brnach' is not known | did you mean 'branch'?");
    CHECK(refused("startswith(branch, 'x')") == "0: there is no function 'startswith' | did you mean 'startsWith'?");
    CHECK(refused("branch = 'x'") == "7: a single '=' compares nothing | write '=='");
    CHECK(refused("needs.build.outputs.x") == "0: 'needs' is not known | what a step of another stage put out is steps.NAME.outputs.KEY");
    CHECK(refused("secrets.TOKEN").starts_with("0: 'secrets' is not known | a step has those that it names"));
    CHECK(refused("success") == "0: 'success' is not known | a function needs its brackets: success()");
    CHECK(refused("contains(branch)") == "0: contains() got 1 argument | it is contains(text or list, part)");
    CHECK(refused("(branch") == "0: ')' is missing | ");
    CHECK(refused("branch ==") == "9: the expression ends too early | ");
    CHECK(refused("") == "0: the expression is empty | ");
    CHECK(refused("'abc") == "0: the text is not closed | add '");
    CHECK(refused("tag + 1") == "4: there is no arithmetic here: '+' | text is joined by format() or join()");
    CHECK(refused("\"\\q\"").starts_with("1: this escape is not known"));
    CHECK(computed("branch matches '('").starts_with("error: the pattern of 'matches' is wrong"));
    CHECK(computed("branch < changed_files") == "error: '<' cannot order text and a list");
}

TEST_CASE("deep, long and repeating expressions end with an error, not with the stack or the memory", "[expression]")
{
    const auto start = std::chrono::steady_clock::now();
    const auto repeat = [](std::string_view part, int times) {
        std::string result;
        for (int i = 0; i < times; ++i)
            result += part;
        return result;
    };
    CHECK_THAT(refused(repeat("(", 10000)), ContainsSubstring("nested too deeply"));
    CHECK_THAT(refused(repeat("!", 10000) + "true"), ContainsSubstring("nested too deeply"));
    CHECK_THAT(refused("branch" + repeat(".a", 5000)), ContainsSubstring("nested too deeply"));
    CHECK_THAT(refused("true" + repeat("||true", 1000)), ContainsSubstring("nested too deeply"));
    CHECK(refused("true" + repeat("||true", 200)) == "parsed");
    CHECK_THAT(refused(repeat("a", 20000)), ContainsSubstring("longer than 16 KiB"));
    // Doubling with each level.
    CHECK_THAT(computed(repeat("format('{0}{0}', ", 40) + "'0123456789'" + repeat(")", 40)),
               ContainsSubstring("longer than 1 MiB"));
    // A pattern that makes backtracking matchers take forever.
    CHECK(computed("'" + repeat("a", 4000) + "' matches '^(a+)+$b'") == "false");
    CHECK_THAT(computed("branch matches '((a{100}){100}){100}'"), ContainsSubstring("is wrong"));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("names are listed as they are written out", "[expression]")
{
    const auto names = names_of(*parse_expression("success() && steps.app.image != '' && matrix[branch] in env.X").expression);

    CHECK(names == std::set<std::string>{"branch", "env.X", "matrix", "steps.app.image", "success()"});
}

TEST_CASE("only what can become part of the result is carried", "[expression]")
{
    const auto carried = [](std::string_view source) {
        std::set<std::string> names;
        for (const auto& reference : carried_by(*parse_expression(source).expression))
            names.insert(reference.path.front());
        return names;
    };
    CHECK(carried("branch == 'main'").empty());
    CHECK(carried("contains(message, 'x')").empty());
    CHECK(carried("branch == 'main' && 'a' || 'b'").empty());
    CHECK(carried("!branch").empty());
    CHECK(carried("format('x {0}', message)") == std::set<std::string>{"message"});
    CHECK(carried("tag || branch") == std::set<std::string>{"branch", "tag"});
    CHECK(carried("join([sha, author])") == std::set<std::string>{"author", "sha"});
    CHECK(carried("pull_request[branch]") == std::set<std::string>{"pull_request"});
    CHECK(is_outsider_controlled("pull_request.title"));
    CHECK_FALSE(is_outsider_controlled("pull_request.number"));
    CHECK_FALSE(is_outsider_controlled("sha"));
}

TEST_CASE("a condition keeps only what is not known yet", "[expression]")
{
    const auto left_of = [](std::string_view source) {
        std::string error;
        const auto left = simplify_condition(*parse_expression(source).expression, scope_of(some_values()), &error);
        return left ? print_expression(*left) : "error: " + error;
    };
    CHECK(left_of("branch == 'main'") == "false");
    CHECK(left_of("event == 'push' && steps.a.outputs.x == matrix.go") == "steps.a.outputs.x == '1.22'");
    CHECK(left_of("steps.a.outputs.x == '1' && branch == 'main'") == "false");
    CHECK(left_of("steps.a.image || event") == "true");
    CHECK(left_of("!(failure() && tag == '')") == "!failure()");
    CHECK(left_of("steps.a.outputs.x in changed_files") == "steps.a.outputs.x in ['src/a.cpp', 'docs/b.md']");
    CHECK(left_of("failure() && branch.x") == "failure() && branch.x");
    CHECK(left_of("branch.x && failure()") == "error: text has no members");
}

namespace {

// Random trees in the shape in which the parser builds them.
class Trees {
public:
    explicit Trees(unsigned seed) : random_(seed) {}

    Node tree(int depth)
    {
        const int kind = depth == 0 ? pick(2) : pick(7);
        switch (kind) {
        case 0: return literal();
        case 1: return named(Node::Kind::name, root_names()[static_cast<std::size_t>(pick(static_cast<int>(root_names().size())))], {});
        case 2: return named(Node::Kind::list, "", trees(depth, pick(3)));
        case 3: return named(Node::Kind::index, "", trees(depth, 2));
        case 4: return named(Node::Kind::negate, "", trees(depth, 1));
        case 5: return named(Node::Kind::binary, operators_[static_cast<std::size_t>(pick(10))], trees(depth, 2));
        default: return pick(2) ? named(Node::Kind::call, "format", trees(depth, 1 + pick(3)))
                                : named(Node::Kind::call, "always", {});
        }
    }

private:
    int pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }

    std::vector<Node> trees(int depth, int count)
    {
        std::vector<Node> result;
        for (int i = 0; i < count; ++i)
            result.push_back(tree(depth - 1));
        return result;
    }

    static Node named(Node::Kind kind, std::string text, std::vector<Node> children)
    {
        Node node;
        node.kind = kind;
        node.text = std::move(text);
        node.children = std::move(children);
        return node;
    }

    Node literal()
    {
        Node node;
        switch (pick(6)) {
        case 0: break;
        case 1: node.value = pick(2) == 1; break;
        case 2: node.value = static_cast<double>(pick(2001) - 1000); break;
        case 3: node.value = std::ldexp(1.0 + pick(1000000), pick(400) - 200); break;
        default: {
            std::string text;
            for (int i = pick(6); i > 0; --i)
                text += static_cast<char>(pick(3) ? "ab-_ '\"\\}{$.\n"[pick(13)] : pick(256));
            node.value = text;
        }
        }
        return node;
    }

    std::mt19937 random_;
    std::vector<std::string> operators_ = {"==", "!=", "<", ">", "<=", ">=", "in", "matches", "&&", "||"};
};

} // namespace

TEST_CASE("what is printed parses to the same tree, also between braces in a text", "[expression]")
{
    for (unsigned seed = 1; seed <= 5000; ++seed) {
        const Expression tree(Trees(seed).tree(4));
        const auto printed = print_expression(tree);
        INFO("seed " << seed << ": " << printed);

        const auto parsed = parse_expression(printed);
        REQUIRE(parsed.expression);
        REQUIRE(*parsed.expression == tree);

        std::optional<SplitError> error;
        const auto text = split_text("a ${{" + printed + " }} b", {}, &error);
        REQUIRE_FALSE(error);
        REQUIRE(text.parts().size() == 3);
        REQUIRE(text.parts()[1].text == printed);
    }
}

TEST_CASE("text splits into literals and expressions with their places", "[expression]")
{
    std::optional<SplitError> error;

    const auto text = split_text("v${{ sha }}\nx ${{format('}}')}}", {0, 3, 5}, &error);

    REQUIRE_FALSE(error);
    REQUIRE(text.parts().size() == 4);
    CHECK(text.parts()[1] == Text::Part{true, "sha", {}});
    CHECK(text.parts()[1].mark.column == 10);
    CHECK(text.parts()[3].text == "format('}}')");
    CHECK(text.parts()[3].mark.line == 4);
    CHECK(text.parts()[3].mark.column == 10);
    CHECK(split_text("no braces, $x and ${y}", {}, &error).is_literal());
    CHECK(split_text("", {}, &error).empty());
}

TEST_CASE("braces that are not closed are reported and the text stays as it is", "[expression]")
{
    std::optional<SplitError> error;

    CHECK(split_text("a ${{ sha }", {}, &error).literal() == "a ${{ sha }");
    REQUIRE(error);
    CHECK(error->message == "'${{' is not closed by '}}'");
    CHECK(error->offset == 2);
    split_text("${{ 'a }}", {}, &error);
    CHECK(error->message == "a quote is not closed inside '${{'");
    split_text("${{ }}", {}, &error);
    CHECK(error->message == "nothing stands between '${{' and '}}'");
}

TEST_CASE("of a text all is told that is no expression", "[expression]")
{
    const auto [text, errors] = split_text("${{ }} a ${{ sha }} ${{}} b ${{ 'tag", {0, 3, 5});

    REQUIRE(errors.size() == 3);
    CHECK(errors[0].offset == 0);
    CHECK(errors[1].offset == 20);
    CHECK(errors[2].message == "a quote is not closed inside '${{'");
    CHECK(errors[2].offset == 28);
    REQUIRE(text.parts().size() == 3);
    CHECK(text.parts()[0].text == "${{ }} a ");
    CHECK(text.parts()[1].is_expression);
    CHECK(text.parts()[1].mark.column == 5 + 13);
    CHECK(text.parts()[2].text == " ${{}} b ${{ 'tag");
}

TEST_CASE("a value that is pasted in is never looked at as an expression", "[expression]")
{
    const auto scope = scope_of({{"message", Value("${{ sha }}")}});
    std::optional<SplitError> split;
    const auto text = split_text("<${{ message }}> ${{ steps.a.image }}", {}, &split);
    std::string error;

    const auto once = resolve(text, scope, &error);
    const auto twice = resolve(once, scope, &error);

    CHECK(error.empty());
    CHECK(once == twice);
    REQUIRE(once.parts().size() == 2);
    CHECK(once.parts()[0] == Text::Part{false, "<${{ sha }}> ", {}});
    CHECK(once.parts()[1] == Text::Part{true, "steps.a.image", {}});
}

TEST_CASE("what is written out is computed as far as it goes, and tells where it fails", "[expression]")
{
    Patterns patterns(1000);
    const auto wrong_in = [&](std::string_view source) {
        std::string all;
        for (const auto& problem : problems_of_constants(*parse_expression(source).expression, patterns))
            all += std::to_string(problem.offset) + ": " + problem.error + "\n";
        return all;
    };
    CHECK(wrong_in("'a' > 1") == "4: '>' cannot order text and a number\n");
    CHECK(wrong_in("branch == (true < 'x')").starts_with("16: '<' cannot order"));
    CHECK(wrong_in("format('{1}', branch)") == "0: format() uses {1} but has 1 value\n");
    CHECK(wrong_in("contains(branch, format('{', tag))").starts_with("17: format() has a '{' without a number"));
    CHECK(wrong_in("branch matches '('").starts_with("15: the pattern of 'matches' is wrong"));
    CHECK(wrong_in("branch in 5").starts_with("10: 'in' needs a list"));
    CHECK(wrong_in("'text'.member").starts_with("7: text has no members"));
    CHECK(wrong_in("branch && 'a' > 1 || 'b' > 2").starts_with("14: "));
    CHECK(wrong_in("true || 'a' > 1") == "");
    CHECK(wrong_in("'' && 'a' > 1") == "");
    CHECK(wrong_in("branch > 1 && hashFiles('x') > 'y' && success()") == "");
    CHECK(wrong_in("format(branch, 1) == default('', '2') && '10' > 9 && 'a' in [1, 'a'] && !null") == "");
}

TEST_CASE("patterns are compiled once, and refused when they are too much work together", "[expression]")
{
    Patterns patterns(1500);
    const auto of = [&](const char* pattern) {
        const auto result = patterns.match(std::string("aab"), std::string(pattern));
        return result.value ? std::string(truthy(*result.value) ? "yes" : "no") : result.error;
    };
    const std::string refusal = "the patterns of 'matches' are too much work together: use fewer, or smaller repetitions";
    for (int i = 0; i < 1000; ++i)
        CHECK(of("^a{2,9}b$") == "yes");
    CHECK(of("(a{10}){90}") == "no");
    CHECK(of("(b{10}){90}") == "no");
    CHECK(of("(c{10}){90}") == refusal);
    CHECK(patterns.problem_of(std::string("d")) == refusal);
    CHECK(of("(a{10}){90}") == "no");

    Patterns long_text(1500);
    CHECK(long_text.match(std::string(1'000'000, 'a'), std::string("ab")).error.empty());
    CHECK(long_text.match(std::string("a"), std::string("b")).error == refusal);
}

TEST_CASE("constants that double with each level are given up in time", "[expression]")
{
    std::string source = "'0123456789abcdef'";
    for (int i = 0; i < 40; ++i)
        source = "format('{0}{0}', " + source + ")";

    const auto start = std::chrono::steady_clock::now();

    Patterns patterns(1000);
    CHECK(problems_of_constants(*parse_expression(source).expression, patterns).empty());
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}
