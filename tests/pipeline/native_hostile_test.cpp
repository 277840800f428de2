#include "pipeline/checks.hpp"
#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <chrono>

// Texts that are made to hurt: each must end in a clear error, soon, and without using much.

using namespace gantry::pipeline;

namespace {

std::string repeated(std::string_view piece, std::size_t count)
{
    std::string text;
    text.reserve(piece.size() * count);
    for (std::size_t i = 0; i < count; ++i)
        text += piece;
    return text;
}

// Nodes that multiply: each line names the one above nine times.
std::string alias_bomb(const char* open, const char* close, int levels)
{
    std::string text = "x-0: &a0 [x]\n";
    for (int level = 1; level <= levels; ++level) {
        const auto alias = "*a" + std::to_string(level - 1);
        text += "x-" + std::to_string(level) + ": &a" + std::to_string(level) + " " + open + alias;
        text += repeated(", " + alias, 8) + close + "\n";
    }
    return text + "steps: *a" + std::to_string(levels) + "\n";
}

// Those of the checks, too.
std::string all_problems_of(const std::string& text)
{
    const auto parsed = parse_text(text);
    return render_text(check(parsed), parsed.sources);
}

// The problems, after a check that they came soon. The limit leaves room for sanitizers and busy machines; `gantry bench`
// measures the real figure.
std::string soon(const std::string& text, std::string (*judge)(const std::string&) = all_problems_of)
{
    const auto start = std::chrono::steady_clock::now();
    const auto problems = judge(text);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
    CHECK(problems.size() < 100'000);
    return problems;
}

} // namespace

TEST_CASE("deep nesting is refused at its 65th level, in every way of writing it", "[pipeline][hostile]")
{
    for (const char* open : {"[", "{a: ", "- ", "? ", "[[", "[{", "- - ", "? - "}) {
        CAPTURE(open);
        CHECK_THAT(soon("a: " + std::string(*open == '-' || *open == '?' ? "\n  " : "") + repeated(open, 4000)),
                   ContainsSubstring("nested deeper than 64 levels"));
        CHECK_THAT(soon(repeated(open, 100'000)), ContainsSubstring("error: "));
    }
    std::string lines;
    for (int i = 0; i < 700; ++i)
        lines += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK_THAT(soon(lines), ContainsSubstring(":65:65: error: nested deeper than 64 levels"));
    CHECK_THAT(soon(repeated("[\n", 100'000)), ContainsSubstring("nested deeper than 64 levels"));
    CHECK_THAT(soon(repeated("{a:\n", 100'000)), ContainsSubstring("nested deeper than 64 levels"));
}

TEST_CASE("64 levels are read", "[pipeline][hostile]")
{
    CHECK(problems_of("steps: [a]\nx-deep: " + repeated("[", 63) + repeated("]", 63)).empty());
}

TEST_CASE("alias bombs are refused before they grow", "[pipeline][hostile]")
{
    CHECK_THAT(soon(alias_bomb("[", "]", 30)), ContainsSubstring("aliases add more than 10000 nodes"));
    std::string merges = "x-0: &a0 { k: v }\n";
    for (int level = 1; level < 40; ++level) {
        const auto alias = "*a" + std::to_string(level - 1);
        merges += "x-" + std::to_string(level) + ": &a" + std::to_string(level) + " { <<: [" + alias + repeated(", " + alias, 8) +
                  "], k" + std::to_string(level) + ": *a0 }\n";
    }
    CHECK(soon(merges + "steps: [a]\n").size() < 1000);
    const auto big = "x-big: &big " + std::string(30'000, 'x') + "\nsteps: [*big" + repeated(", *big", 5000) + "]\n";
    CHECK_THAT(soon(big), ContainsSubstring("aliases add more than 2097152 bytes"));
}

TEST_CASE("an alias inside of what it names is refused", "[pipeline][hostile]")
{
    CHECK_THAT(soon("steps: &a [*a]\n"), ContainsSubstring(":1:12: error: an alias stands inside what it names"));
    CHECK_THAT(soon("a: &a\n  b: { <<: *a }\n"), ContainsSubstring("an alias stands inside what it names"));
}

TEST_CASE("too much of anything is refused", "[pipeline][hostile]")
{
    CHECK_THAT(soon("a: " + std::string(1'000'000, 'x')), ContainsSubstring("at most 524288 are read"));
    CHECK_THAT(soon("steps:\n  - run: '" + std::string(40'000, 'x') + "'\n"), ContainsSubstring(":2:1: error: this line is longer than 32768 bytes"));
    CHECK_THAT(soon("image: a\nsteps:\n" + repeated("- a\n", 20'000)), ContainsSubstring("more than 12000 stages, steps and services"));
    CHECK_THAT(soon("x-a:\n" + repeated("-\n", 100'000)), ContainsSubstring("more than 80000 nodes"));
    CHECK_THAT(soon("steps:\n  - { command: " + std::string(5000, 'x') + " }\n"), ContainsSubstring("at most 4096 bytes"));
}

TEST_CASE("more lines of %TAG than anybody needs are refused, wherever they stand", "[pipeline][hostile]")
{
    const auto tags = [](int count, const std::string& end) {
        std::string lines;
        for (int i = 0; i < count; ++i)
            lines += "%TAG !" + std::to_string(i) + "! x" + end;
        return lines;
    };
    const std::string file = "---\nimage: a\nsteps: [a]\n";
    CHECK(soon(tags(16, "\n") + file).empty());
    CHECK_THAT(soon(tags(17, "\n") + file), ContainsSubstring(":17:1: error: the file has more than 16 lines of %TAG") && ContainsSubstring("remove them"));
    CHECK_THAT(soon(tags(30'000, "\n") + file), ContainsSubstring(":17:1: error: the file has more than 16 lines of %TAG"));
    CHECK_THAT(soon("a\n...\n" + tags(17, "\n") + file), ContainsSubstring(":19:1: error: the file has more than 16 lines of %TAG"));
    for (const char* end : {"\r", "\r\n", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\n# %TAG\n"})
        CHECK_THAT(soon(tags(20, end) + file), ContainsSubstring("the file has more than 16 lines of %TAG"));
    CHECK(soon("image: a\nsteps:\n- |\n" + repeated("  %TAG ! x\n", 20) + "- a %TAG\n").empty());
}

TEST_CASE("patterns that are small to write and large to compile are refused together", "[pipeline][hostile]")
{
    std::string large = "image: a\nsteps:\n", small = large;
    for (int i = 0; i < 2000; ++i) {
        const auto number = std::to_string(i);
        large += "- { run: a, if: \"branch matches '(a{0,100}){0,9}b{0,1000}" + number + "'\" }\n";
        small += "- { run: a, if: \"branch matches '^v" + number + "[.][0-9]+$'\" }\n";
    }
    const auto problems = soon(large);
    CHECK_THAT(problems, ContainsSubstring("error: the patterns of 'matches' are too much work together: use fewer, or smaller repetitions"));
    CHECK_THAT(problems, !ContainsSubstring(".gantry.yml:3:"));
    CHECK(soon(small).empty());
    const std::string same = "- { run: a, if: \"branch matches '(a{0,100}){0,9}b{0,1000}'\" }\n";
    CHECK(soon("image: a\nsteps:\n" + repeated(same, 2000)).empty());
}

TEST_CASE("of very many problems the first hundred are shown", "[pipeline][hostile]")
{
    std::string keys = "steps: [a]\n", values = "image: a\nsteps:\n";
    for (int i = 0; i < 20'000; ++i)
        keys += "key" + std::to_string(i) + ": 1\n";
    values += repeated("- { run: a, timeout: soon }\n", 5000);

    CHECK_THAT(soon(keys), ContainsSubstring("101 problems in 1 file"));
    CHECK_THAT(soon(values), ContainsSubstring("more than 100 problems; the rest is not shown"));
    CHECK_THAT(soon(repeated("a: 1\n", 30'000)), ContainsSubstring("the key 'a' stands twice in this map"));
    CHECK(soon(std::string(30'000, 'k') + ": 1\nsteps: [a]").size() < 1000);
}

TEST_CASE("lists that ask for quadratic work are read in time", "[pipeline][hostile]")
{
    const auto read = [](const std::string& text) { return soon(text, problems_of); };
    std::string networks = "steps: [{ image: a, networks: [n0", maps = "steps:\n- image: a\n  env:\n";
    for (int i = 1; i < 4000; ++i)
        networks += ", n" + std::to_string(i);
    for (int i = 0; i < 30'000; ++i)
        maps += "    K" + std::to_string(i) + ": v\n";
    CHECK(read(networks + "] }]\n").empty());
    CHECK(read(maps).empty());
    CHECK(read("steps:\n- |\n" + repeated("  ${{ tag }} ${{ sha }}\n", 15'000)).empty());
    CHECK(read("steps:\n- command: " + repeated("${{ a }} ", 400) + "\n").empty());
    CHECK(read("x-a: [" + repeated("&a x,", 6000) + "x]\nsteps: [*a]\n").empty());
}

TEST_CASE("a matrix multiplies no more than a plan can hold", "[pipeline][hostile]")
{
    const std::string axis = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]", rows = "matrix: { a: " + axis + ", b: " + axis + " }";
    const auto script = "x-a: &a |\n" + repeated("  " + repeated("echo ${{ matrix.a }} ", 1000) + "\n", 3);
    CHECK_THAT(soon(script + "image: a\n" + rows + "\nsteps:\n" + repeated("- run: *a\n", 30)),
               ContainsSubstring(":8:1: error: the plan has 23040000 expressions, and 500000 expressions are the most\n") &&
                   ContainsSubstring("23040000 expressions in the 256 rows of the matrix of 'main'"));
    CHECK_THAT(soon("image: a\n" + rows + "\nsteps:\n- run: &a |\n" + repeated("    " + std::string(6000, 'x') + "\n", 10) + repeated("- run: *a\n", 9)),
               ContainsSubstring("MB of text are the most"));
    std::string stages = "defaults: { image: a }\nstages:\n";
    for (int i = 0; i < 79; ++i)
        stages += "- { name: s" + std::to_string(i) + ", " + rows + ", steps: [a] }\n";
    CHECK_THAT(soon(stages), ContainsSubstring(":3:11: error: the plan has 20224 steps, and 20000 steps are the most\n"));
    CHECK(soon(stages.substr(0, stages.rfind("- {"))).empty());
}

TEST_CASE("volumes and networks that are not declared are told in time", "[pipeline][hostile]")
{
    std::string text = "image: a\nvolumes:\n";
    for (int i = 0; i < 5000; ++i)
        text += "  volume" + std::to_string(i) + ": {}\n";
    text += "steps:\n";
    for (int i = 0; i < 9000; ++i)
        text += "- { run: x, volumes: [unknown" + std::to_string(i) + ":/v] }\n";
    CHECK_THAT(soon(text), ContainsSubstring("there is no volume 'unknown0'"));
}

TEST_CASE("bytes that are no YAML text get an error with their place", "[pipeline][hostile]")
{
    CHECK_THAT(soon(std::string("steps:\n - a\0b", 13)), ContainsSubstring(":2:5: error: the control character 0x00"));
    CHECK_THAT(soon("\x7f" "ELF"), ContainsSubstring(":1:1: error: the control character 0x7f"));
    CHECK_THAT(soon(std::string("\xff\xfes\0", 4)), ContainsSubstring("UTF-16"));
    CHECK_THAT(soon(std::string("s\0t\0", 4)), ContainsSubstring("UTF-16"));
    CHECK_THAT(soon("a: b\nc: \xc3\x28"), ContainsSubstring(":2:4: error: the byte 0xc3 is not UTF-8"));
    CHECK_THAT(soon("a: \xf0\x9f\x98"), ContainsSubstring("is not UTF-8"));
    CHECK_THAT(soon("steps: [\"\\u0000\"]"), ContainsSubstring("NUL"));
}

TEST_CASE("every beginning of a file is survived", "[pipeline][hostile]")
{
    const auto whole = read_text(data_folder() / "good/compose_words.yml").value();
    for (std::size_t size = 0; size < whole.size(); size += 7)
        CHECK_NOTHROW(all_problems_of(whole.substr(0, size)));
}

TEST_CASE("every single wrong byte in a file is survived", "[pipeline][hostile]")
{
    const auto whole = read_text(data_folder() / "good/forms.yml").value();
    constexpr std::string_view k_bytes = "[]{}:,-?&*!|>'\"%@`# \n\t$<";
    for (std::size_t at = 0; at < whole.size(); at += 3) {
        auto changed = whole;
        changed[at] = k_bytes[(at / 3) % k_bytes.size()];
        CHECK_NOTHROW(all_problems_of(changed));
        changed = whole;
        changed.insert(at, 1, k_bytes[(at / 3 + 7) % k_bytes.size()]);
        CHECK_NOTHROW(all_problems_of(changed));
    }
}

TEST_CASE("includes cannot run away", "[pipeline][hostile]")
{
    Files files{{".gantry.yml", "include: [a0.yml]\nsteps: [a]\n"}};
    for (int i = 0; i < 40; ++i)
        files["a" + std::to_string(i) + ".yml"] = "include: [a" + std::to_string(i + 1) + ".yml]\n";
    CHECK_THAT(problems_of(parse_files(files)), ContainsSubstring("more than 32 includes"));

    Files fan{{".gantry.yml", "include: [b.yml, b.yml, b.yml]\nsteps: [a]\n"}};
    fan["b.yml"] = "x-a: |\n" + repeated("  text text text\n", 15'000);
    CHECK_THAT(problems_of(parse_files(fan)), ContainsSubstring("the files have more than 524288 bytes together"));
}
