#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/secret_store.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>

using namespace gantry;
using namespace gantry::runner;

namespace {

std::string value(const Secrets& secrets, const std::string& name)
{
    const auto found = secrets.find(name);
    return found == secrets.end() ? "(none)" : found->second.reveal();
}

} // namespace

TEST_CASE("a secret file: plain, quoted, exported, commented, with any line end", "[secret]")
{
    const auto secrets = parse_secret_file("\xEF\xBB\xBF# comment\n"
                                           "PLAIN = a # b \r\n"
                                           "  export EXPORTED=x=y\n"
                                           "\n"
                                           "EMPTY=\n"
                                           "SINGLE='a\\n \"b\" # c'\n"
                                           "DOUBLE=\"a\\n\\\"b\\\" \\$c \\d\"\n"
                                           "KEY=\"-----BEGIN-----\nabc\n-----END-----\n\"\n"
                                           "npm.token-2=last",
                                           "s.env");
    CHECK(secrets.size() == 7);
    CHECK(value(secrets, "PLAIN") == "a # b");
    CHECK(value(secrets, "EXPORTED") == "x=y");
    CHECK(value(secrets, "EMPTY").empty());
    CHECK(value(secrets, "SINGLE") == "a\\n \"b\" # c");
    CHECK(value(secrets, "DOUBLE") == "a\n\"b\" $c \\d");
    CHECK(value(secrets, "KEY") == "-----BEGIN-----\nabc\n-----END-----\n");
    CHECK(value(secrets, "npm.token-2") == "last");
    CHECK(parse_secret_file("", "s.env").empty());
}

TEST_CASE("a bad secret file is told by its line, without what stands there", "[secret]")
{
    const auto [text, message] = GENERATE(table<std::string, std::string>({
        {"A=1\nhunter22\n", "s.env:2: a line without '='"},
        {"A=1\n\nhunter 22=x\n", "s.env:3: what stands before '=' is no name"},
        {"=hunter22", "s.env:1: what stands before '=' is no name"},
        {"A='hunter22\n\nB=2\n", "s.env:1: a quote is not closed"},
        {"A=\"hunter22\\", "s.env:1: a quote is not closed"},
        {"A='x\ny'hunter22\n", "s.env:2: something follows the closing quote"},
        {"A=1\nA=hunter22\n", "s.env:2: there is a second A"},
    }));
    CHECK_THROWS_WITH(parse_secret_file(text, "s.env"), message);
}

TEST_CASE("the store keeps any value, for this user alone", "[secret]")
{
    Scratch scratch;
    const std::string folder = scratch / "config";
    SecretStore store(folder);
    CHECK(store.names().empty());
    CHECK_FALSE(store.find("A"));
    CHECK_FALSE(store.remove("A"));

    const std::string nasty = "a'b\"c\\n$d\n\r\t# \xff x ";
    store.set("TOKEN", Secret(nasty));
    store.set("A", Secret("first"));
    store.set("A", Secret("second"));

    CHECK(SecretStore(folder).names() == std::vector<std::string>{"A", "TOKEN"});
    CHECK(store.find("TOKEN")->reveal() == nasty);
    CHECK(store.find("A")->reveal() == "second");
    CHECK(mode_of(store.path()) == 0600);
    CHECK(mode_of(folder) == 0700);
    CHECK(store.remove("A"));
    CHECK_FALSE(store.find("A"));
}

TEST_CASE("a store that others may read, or a link, is refused", "[secret]")
{
    Scratch scratch;
    SecretStore store(scratch / "config");
    store.set("A", Secret("value"));
    ::chmod(store.path().c_str(), 0640);
    CHECK_THROWS_WITH(store.find("A"), ContainsSubstring("can be read by others"));
    CHECK_THROWS_WITH(store.set("B", Secret("x")), ContainsSubstring("can be read by others"));
    ::chmod(store.path().c_str(), 0600);
    std::filesystem::rename(store.path(), scratch / "elsewhere");
    std::filesystem::create_symlink(scratch / "elsewhere", store.path());
    CHECK_THROWS_AS(store.find("A"), Error);
}

TEST_CASE("names and values that cannot be are refused", "[secret]")
{
    Scratch scratch;
    SecretStore store(scratch / "config");
    for (const char* name : {"", "1A", "A B", "A=B", "../A", "A\n"})
        CHECK_THROWS_WITH(store.set(name, Secret("x")), ContainsSubstring("is no name"));
    CHECK_THROWS_WITH(store.set("A", Secret("")), ContainsSubstring("is empty"));
    CHECK_THROWS_AS(store.set("A", Secret(std::string("a\0b", 3))), Error);
    CHECK_THROWS_AS(store.set("A", Secret(std::string(64 * 1024 + 1, 'x'))), Error);
    CHECK(store.names().empty());
}

TEST_CASE("more secrets than the store reads again are not written", "[secret]")
{
    Scratch scratch;
    SecretStore store(scratch / "config");
    const std::string big(64 * 1024, 'x'), quoted(big.size(), '\\'); // of which each takes two bytes
    int count = 0;
    CHECK_THROWS_WITH(
        [&] {
            for (; count < 100; ++count)
                store.set("S" + std::to_string(count), Secret(count % 2 == 0 ? big : quoted));
        }(),
        ContainsSubstring("the secrets would take more than 4."));
    CHECK(count == 42);
    CHECK(store.names().size() == 42);
    store.remove("S0");
    store.set("S42", Secret(big));
    CHECK(store.find("S42")->reveal() == big);
}

TEST_CASE("a secret comes from the files, else the environment, else the store", "[secret]")
{
    Scratch scratch;
    SecretStore store(scratch / "config");
    for (const char* name : {"IN_FILE", "in.env", "EXACT_name", "IN_STORE"})
        store.set(name, Secret("store"));
    std::ofstream(scratch / "a") << "IN_FILE=a\nOTHER=a\n";
    std::ofstream(scratch / "b") << "IN_FILE=b\n";
    const ScopedEnv file("GANTRY_SECRET_IN_FILE", "environment"), capital("GANTRY_SECRET_IN_ENV", "environment");
    const ScopedEnv exact("GANTRY_SECRET_EXACT_name", "environment");

    const SecretSource source({scratch / "a", scratch / "b"}, scratch / "config");
    CHECK(source.find("IN_FILE")->reveal() == "b");
    CHECK(source.find("OTHER")->reveal() == "a");
    CHECK(source.find("in.env")->reveal() == "environment");
    CHECK(source.find("EXACT_name")->reveal() == "environment");
    CHECK(source.find("IN_STORE")->reveal() == "store");
    CHECK_FALSE(source.find("NONE"));
    CHECK_THROWS_WITH(SecretSource({scratch / "none"}, scratch / "config"), ContainsSubstring("none"));
}
