#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/scratch.hpp"
#include "runner/git.hpp"
#include "runner/snapshot.hpp"
#include "runner/snapshot_repo.hpp"

#include <filesystem>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::tests;
namespace fs = std::filesystem;
using Paths = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

TEST_CASE("facts of a repository", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    SECTION("without a commit")
    {
        repo.write("a", "a");
        const auto info = inspect_source(repo.path());
        CHECK(info.is_git);
        CHECK(info.branch == "main");
        CHECK(info.sha.empty());
        CHECK(info.changed == 1);
        CHECK(info.repo == "shop");
        CHECK_THROWS_WITH(take_snapshot({repo.path(), false, "", scratch / "cache"}), ContainsSubstring("there is no commit 'HEAD'"));
    }
    SECTION("on a branch")
    {
        repo.write("a", "a");
        const auto first = repo.commit("First\n\nwith a body\n");
        repo.write("b", "b");
        repo.write("a", "changed");
        fs::create_directory(scratch / "shop/sub");
        repo.config("remote.origin.url", "https://me:s3cret@git.example.org/group/shop.git");
        const auto info = inspect_source(scratch / "shop/sub");
        CHECK(info.root == repo.path());
        CHECK(info.sha == first);
        CHECK(info.message == "First\n\nwith a body");
        CHECK(info.author == "Ada");
        CHECK(info.author_email == "ada@example.org");
        CHECK(info.commit_time == 1700000000);
        CHECK(info.changed == 2);
        CHECK(info.remote_url == "https://git.example.org/group/shop.git");
        CHECK(info.repo == "group/shop");
        CHECK(info.default_branch == "main");
        CHECK(info.tag.empty());
    }
    SECTION("detached: a branch only if it is the only one there")
    {
        repo.write("a", "a");
        const auto first = repo.commit();
        repo.detach(first);
        CHECK(inspect_source(repo.path()).branch == "main");
        repo.reference("refs/heads/other", first);
        CHECK(inspect_source(repo.path()).branch.empty());
    }
    SECTION("a tag, annotated or not; of several the latest version")
    {
        repo.write("a", "a");
        const auto first = repo.commit();
        repo.reference("refs/tags/light", first);
        CHECK(inspect_source(repo.path()).tag == "light");
        repo.annotated_tag("v1.9.00", first);
        CHECK(inspect_source(repo.path()).tag == "v1.9.00");
        repo.annotated_tag("v1.10.00", first);
        CHECK(inspect_source(repo.path()).tag == "v1.10.00");
        repo.write("a", "b");
        repo.commit();
        CHECK(inspect_source(repo.path()).tag.empty());
    }
}

TEST_CASE("a folder without git has its name and no commit", "[git]")
{
    Scratch scratch;
    write(scratch / "plain/a", "a");
    const auto info = inspect_source(scratch / "plain");
    CHECK_FALSE(info.is_git);
    CHECK(info.repo == "plain");
    CHECK_THROWS_WITH(inspect_source(scratch / "none"), ContainsSubstring("there is no folder"));
    CHECK_THROWS_WITH(inspect_source(scratch / "plain/a"), ContainsSubstring("is not a folder"));
    CHECK_FALSE(changed_files(scratch / "plain", "a", "b", false));
}

TEST_CASE("addresses of remotes", "[git]")
{
    CHECK(repo_name_of("https://git.example.org/group/sub/shop.git") == "group/sub/shop");
    CHECK(repo_name_of("git@git.example.org:group/shop.git") == "group/shop");
    CHECK(repo_name_of("ssh://git@git.example.org:22/group/shop/") == "group/shop");
    CHECK(repo_name_of("file:///srv/git/shop.git").empty());
    CHECK(repo_name_of("/srv/git/shop.git").empty());
    CHECK(without_credentials("https://a:b@c@host/x@y") == "https://host/x@y");
    CHECK(without_credentials("git@host:x") == "git@host:x");
    CHECK(without_credentials("https://host/x") == "https://host/x");
}

TEST_CASE("facts of a commit that is not checked out", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write("a", "a");
    const auto first = repo.commit("First");
    repo.reference("refs/heads/old", first);
    repo.reference("refs/tags/v1", first);
    repo.write("a", "b");
    const auto second = repo.commit("Second");
    repo.write("a", "dirty");

    const auto before = inspect_commit(repo.path(), "HEAD~1");
    CHECK(before.root == repo.path());
    CHECK(before.sha == first);
    CHECK(before.message == "First");
    CHECK(before.tag == "v1");
    CHECK(before.branch == "main");
    CHECK(before.changed == 0);
    CHECK(inspect_commit(repo.path(), "old").branch == "old");
    CHECK(inspect_commit(repo.path(), second).message == "Second");
    CHECK_THROWS_WITH(inspect_commit(repo.path(), "nope"), ContainsSubstring("there is no commit 'nope'"));
    CHECK_THROWS_WITH(inspect_commit(scratch.path(), "HEAD"), ContainsSubstring("is not a git repository"));
}

TEST_CASE("where two branches parted", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write("a", "a");
    const auto base = repo.commit();
    repo.write("a", "b");
    const auto ours = repo.commit();
    repo.reference("refs/heads/main", base);
    repo.write("a", "c");
    const auto theirs = repo.commit();

    CHECK(merge_base(repo.path(), ours, theirs) == base);
    CHECK(merge_base(repo.path(), ours, base) == base);
    CHECK(merge_base(repo.path(), ours, "nope").empty());
    CHECK(merge_base(scratch.path(), "HEAD", "HEAD").empty());
}

TEST_CASE("changed files between two commits, and with the working tree", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write("a", "a");
    repo.write("b/c", "c");
    repo.write("gone", "gone");
    const auto first = repo.commit();
    repo.write("b/c", "changed");
    fs::remove(scratch / "shop/gone");
    const auto second = repo.commit();
    repo.write("new", "new");
    repo.write(".gitignore", "x\n");
    repo.write("x", "ignored");
    CHECK(changed_files(repo.path(), first, second, false) == Paths{"b/c", "gone"});
    CHECK(changed_files(repo.path(), "HEAD~1", "HEAD", true) == Paths{".gitignore", "b/c", "gone", "new"});
    CHECK(changed_files(repo.path(), second, second, false) == Paths{});
    CHECK_FALSE(changed_files(repo.path(), std::string(40, '0'), second, false));
}

TEST_CASE("the reader gives texts of the tree or of a commit, and nothing outside", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write("ci/a.yml", "committed");
    write(scratch / "outside", "outside");
    fs::create_symlink("ci/a.yml", scratch / "shop/in");
    fs::create_symlink("../a.yml", scratch / "shop/ci/loop");
    fs::create_symlink("../outside", scratch / "shop/out");
    fs::create_symlink(scratch / "outside", scratch / "shop/absolute");
    fs::create_directory_symlink("..", scratch / "shop/up");
    repo.commit();
    repo.write("ci/a.yml", "dirty");

    const bool dirty = GENERATE(true, false);
    const auto read = make_file_reader({repo.path(), dirty, "", ""});
    CHECK(read("ci/a.yml") == (dirty ? "dirty" : "committed"));
    CHECK(read("in") == (dirty ? "dirty" : "committed"));
    CHECK_FALSE(read("none"));
    CHECK_FALSE(read("ci/loop"));
    CHECK_FALSE(read("ci/none/none"));
    for (const char* path : {"../outside", "out", "absolute", "/etc/passwd", "ci/../../outside", ".git/config", "", "up/outside"}) {
        INFO(path);
        bool refused_or_absent = false;
        try {
            refused_or_absent = !read(path);
        } catch (const Error& error) {
            refused_or_absent = error.code() == Errc::bad_input;
        }
        CHECK(refused_or_absent);
    }
    CHECK_THROWS_WITH(read("out"), ContainsSubstring("leads out"));
}

TEST_CASE("a folder that is taken alone has what its repository does not ignore", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write(".gitignore", "*.o\n/examples/quick/build/\n");
    repo.write("other", "of the repository");
    repo.write("examples/quick/a.c", "a");
    repo.commit();
    repo.write("examples/quick/a.o", "ignored");
    repo.write("examples/quick/build/a", "ignored");
    repo.write("examples/quick/build.c", "new");
    SourceOptions options;
    options.folder = scratch / "shop/examples/quick";
    options.cache_folder = scratch / "cache";
    options.alone = true;
    CHECK(merged(take_snapshot(options)) == Files{{"a.c", "a"}, {"build.c", "new"}});

    // Rules above the folder are looked at again.
    repo.write("examples/.gitignore", "*.c\n!a.c\n");
    CHECK(merged(take_snapshot(options)) == Files{{"a.c", "a"}});
}

TEST_CASE("hashFiles depends on the paths and contents that match, and on nothing else", "[git]")
{
    Scratch scratch;
    TestRepo repo(scratch / "shop");
    repo.write("a.lock", "1");
    repo.write("sub/b.lock", "2");
    repo.write("c.txt", "3");
    repo.write(".gitignore", "ignored.lock\n");
    repo.commit();
    const SourceOptions tree{repo.path(), true, "", ""}, commit{repo.path(), false, "", ""};

    const auto hash = hash_files(tree, {"**/*.lock"});
    CHECK(hash == sha256_hex(std::string("a.lock\0", 7) + sha256_hex("1") + "\n" + std::string("sub/b.lock\0", 11) + sha256_hex("2") + "\n"));
    CHECK(hash_files(commit, {"**/*.lock"}) == hash);
    CHECK(hash_files(tree, {"sub/b.lock", "a.lock"}) == hash);
    CHECK(hash_files(tree, {"a.lock"}) != hash);
    CHECK(hash_files(tree, {"*.none"}).empty());
    repo.write("c.txt", "other");
    repo.write("ignored.lock", "ignored");
    CHECK(hash_files(tree, {"**/*.lock"}) == hash);
    repo.write("a.lock", "other");
    CHECK(hash_files(tree, {"**/*.lock"}) != hash);
    CHECK(hash_files(commit, {"**/*.lock"}) == hash);
}
