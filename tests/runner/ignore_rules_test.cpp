#include "base/error.hpp"
#include "runner/ignore_rules.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

// Cases of Docker's documentation of .dockerignore, and of what its matcher does beyond that.

using gantry::runner::IgnoreRules;

namespace {

struct Row {
    std::string rules, path;
    bool ignored;
};

const std::vector<Row> k_rows = {
    // ---- lines
    {"", "a", false},
    {"# a\n", "a", false},
    {" #a", "#a", true}, // only in the first column
    {"\xef\xbb\xbf" "a", "a", true},
    {"a\r\nb\r\n", "b", true},
    {"   a  ", "a", true},
    {".\n", "a", false},
    {"/", "a", false},
    // ---- paths
    {"a", "a", true},
    {"a", "b", false},
    {"a", "sub/a", false},
    {"a", "a/b/c", true},
    {"a", "ab", false},
    {"/a", "a", true},
    {"a/", "a", true},
    {"a/", "a/b", true},
    {"./a", "a", true},
    {"b/../a", "a", true},
    {"a//b", "a/b", true},
    {"sub/a", "sub/a", true},
    {"../a", "a", false},
    // ---- one name
    {"*", "a", true},
    {"*", "a/b", true},
    {"*.md", "README.md", true},
    {"*.md", "docs/README.md", false},
    {"*/temp*", "somedir/temporary.txt", true},
    {"*/temp*", "somedir/temp", true},
    {"*/temp*", "temp", false},
    {"*/temp*", "a/b/temp", false},
    {"*/*/temp*", "somedir/subdir/temporary.txt", true},
    {"temp?", "tempa", true},
    {"temp?", "temp", false},
    {"t?mp", "tämp", true}, // a character, not a byte
    {"t??mp", "tämp", false},
    {"t[^a]mp", "tämp", true},
    {"t[ä-ö]mp", "tömp", true},
    {"t[ä-ö]mp", "tümp", false},
    {"t\\ä", "tä", true},
    {"t?", "t\xff", true}, // of none
    {"?", "日", true},
    {"?", "😀", true},
    {"temp?", "temp/", false},
    {"a*b*c", "axxbyyc", true},
    {"a*b*c", "axxbyy", false},
    {"a*/c", "ab/c", true},
    {"a*/c", "a/b/c", false},
    // ---- any number of folders
    {"**", "a/b/c", true},
    {"**/*.go", "a.go", true},
    {"**/*.go", "x/y/a.go", true},
    {"**/*.go", "x/y/a.c", false},
    {"a/**", "a/b", true},
    {"a/**", "a", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "ab", false},
    {"**/node_modules", "x/node_modules/y/z.js", true},
    {"**/a/**", "x/a/b", true},
    {"a**", "abc/d", true},
    // ---- sets and escapes
    {"[ab].c", "b.c", true},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"a.c", "abc", false},
    {"a+(b){c}|$", "a+(b){c}|$", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"[\\]]", "]", true},
    // ---- taking back in: the last that matches decides
    {"*.md\n!README.md", "README.md", false},
    {"*.md\n!README.md", "OTHER.md", true},
    {"!README.md\n*.md", "README.md", true},
    {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
    {"*.md\n!README*.md\nREADME-secret.md", "README-public.md", false},
    {"*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false},
    {"a\n!a/keep", "a/keep", false},
    {"a\n!a/keep", "a/other", true},
    {"*\n!src\n", "src/deep/x.c", false},
    {"*\n!src\nsrc/**/*.o", "src/deep/x.o", true},
    {"**\n!**/*.c", "a/b/c.c", false},
    {"*\n! src ", "src/a", false},
};

} // namespace

TEST_CASE("a path is ignored as .dockerignore's rules say", "[ignore_rules]")
{
    for (const auto& row : k_rows) {
        INFO("rules '" << row.rules << "', path '" << row.path << "'");
        CHECK(IgnoreRules(row.rules).ignores(row.path) == row.ignored);
    }
}

TEST_CASE("a .dockerignore that cannot be meant is refused with its line", "[ignore_rules]")
{
    const auto problem = [](const std::string& text) {
        try {
            const IgnoreRules rules(text);
        } catch (const gantry::Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(problem("a\n!\n") == ".dockerignore, line 2: '!' without a pattern");
    CHECK(problem("[a") == ".dockerignore, line 1: a '[' is not closed");
    CHECK(problem("[]") == ".dockerignore, line 1: a '[' is not closed");
    CHECK(problem("[a\\") == ".dockerignore, line 1: a '[' is not closed");
    CHECK(problem(std::string(5000, 'a')) == ".dockerignore, line 1: a pattern of more than 4096 bytes");
    CHECK(problem(std::string(20'002, '\n') + "a").empty());
    std::string many;
    for (int i = 0; i < 10'001; ++i)
        many += "a\n";
    CHECK(problem(many) == ".dockerignore, line 10001: more than 10,000 patterns");
}

TEST_CASE("a pattern made of stars takes no more time than its length", "[ignore_rules]")
{
    std::string stars;
    for (int i = 0; i < 1000; ++i)
        stars += "*a";
    const IgnoreRules rules(stars + "\n**/" + stars + "b");
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(rules.ignores(std::string(900, 'a')));
    CHECK(rules.ignores(std::string(1100, 'a')));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10)); // unoptimised, on a busy machine
}
