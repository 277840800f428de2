#include "base/scratch.hpp"
#include "engine/fake/fake.hpp"
#include "runner/exchange_files.hpp"
#include "runner/lower.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <chrono>
#include <filesystem>
#include <string>

using gantry::runner::parse_exchange;
using Values = std::map<std::string, std::string>;

namespace {

Values parse(std::string_view text) { return parse_exchange(text, nullptr); }

std::vector<std::string> problems_of(std::string_view text)
{
    std::vector<std::string> problems;
    parse_exchange(text, &problems);
    return problems;
}

} // namespace

TEST_CASE("a line is a name, '=' and a value as it stands", "[exchange]")
{
    CHECK(parse("a=1\nb= two words \nc=\n") == Values{{"a", "1"}, {"b", " two words "}, {"c", ""}});
    CHECK(parse("url=http://x/?a=b<<c") == Values{{"url", "http://x/?a=b<<c"}});
    CHECK(parse("a=1\r\nb=2\r\n") == Values{{"a", "1"}, {"b", "2"}});
    CHECK(parse("last=without end") == Values{{"last", "without end"}});
    CHECK(parse("").empty());
    CHECK(parse("\n\n  \n").empty());
}

TEST_CASE("of two lines with one name the later counts", "[exchange]")
{
    CHECK(parse("a=1\na=2") == Values{{"a", "2"}});
}

TEST_CASE("a heredoc holds several lines", "[exchange]")
{
    CHECK(parse("text<<EOF\none\n\ntwo=2\nEOF\na=1\n") == Values{{"text", "one\n\ntwo=2"}, {"a", "1"}});
    CHECK(parse("text<<EOF\nEOF\n") == Values{{"text", ""}});
    CHECK(parse("text<<EOF\n\nEOF\n") == Values{{"text", ""}});
    CHECK(parse("text<<END OF IT\nx\nEND OF IT") == Values{{"text", "x"}});
}

TEST_CASE("bad lines are left out and told with their number", "[exchange]")
{
    const char* text = "a=1\nno value\n9x=2\nb=2\n";
    CHECK(parse(text) == Values{{"a", "1"}, {"b", "2"}});
    CHECK(problems_of(text) == std::vector<std::string>{"line 2: has no '='", "line 3: what stands before '=' is not a name"});
    CHECK(problems_of("a<<\n") == std::vector<std::string>{"line 1: has no word after '<<'"});
    CHECK(problems_of("x=1\na<<EOF\nb=1\n") == std::vector<std::string>{"line 2: the word behind '<<' does not come again: what follows is not used"});
    CHECK(problems_of("a=\xff") == std::vector<std::string>{"line 1: the value is not text"});
    CHECK(problems_of(std::string_view("a=\0", 3)) == std::vector<std::string>{"line 1: the value is not text"});
    CHECK(problems_of("\x1b[2J=1") == std::vector<std::string>{"line 1: what stands before '=' is not a name"});
}

TEST_CASE("what is too much is refused, and the complaints are few", "[exchange]")
{
    CHECK(parse(std::string(1 << 20, 'x') + "=1").empty());
    std::string bad;
    for (int i = 0; i < 1000; ++i)
        bad += "bad\n";
    CHECK(problems_of(bad).size() == 10);
}

TEST_CASE("hostile files take time that grows with their size only", "[exchange]")
{
    std::string heredocs;
    while (heredocs.size() < (1 << 20) - 20)
        heredocs += "a<<E" + std::to_string(heredocs.size()) + "\n";
    const auto start = std::chrono::steady_clock::now();
    CHECK(parse(heredocs).empty());
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("what a step made of its files instead is told", "[exchange]")
{
    const gantry::Scratch scratch;
    const auto folder = scratch / "exchange";
    asio::io_context loop;
    gantry::test::ManualClock clock;
    gantry::engine::FakeEngine engine{loop.get_executor(), clock};
    gantry::runner::ExchangeFiles files(folder);
    std::filesystem::resize_file(folder + "/output", gantry::runner::ExchangeFiles::k_limit_bytes + 1);
    std::filesystem::remove(folder + "/env");
    std::filesystem::remove(folder + "/summary");
    std::filesystem::create_symlink("/etc/passwd", folder + "/summary");

    const auto contents = gantry::test::run_to_end(loop, clock, files.collect(engine, "none"));

    CHECK(contents.env + contents.output + contents.summary == "");
    CHECK(contents.problems == std::vector<std::string>{"CI_ENV: the step has removed it",
                                                        "CI_OUTPUT: it is longer than 1 MiB; nothing of it is used",
                                                        "CI_STEP_SUMMARY: it is no file any more, or may not be read; nothing of it is used"});
}
