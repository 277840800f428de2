#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/scratch.hpp"
#include "runner/snapshot.hpp"
#include "runner/snapshot_repo.hpp"
#include "runner/source_copies.hpp"
#include "runner/source_tree.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <utime.h>

using namespace gantry;
using namespace gantry::runner;
using namespace gantry::tests;
namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

namespace {

struct SnapshotPlace {
    Scratch scratch;
    std::string root = scratch / "src";
    std::string cache = scratch / "cache";

    SnapshotPlace() { fs::create_directories(root); }
    void put(const std::string& name, const std::string& text) const { write(root + "/" + name, text); }
    void remove(const std::string& name) const { fs::remove_all(root + "/" + name); }
    SourceOptions options(bool dirty = true, const std::string& rev = {}) const { return {root, dirty, rev, cache}; }
    Snapshot take() const { return take_snapshot(options()); }
    std::string layers() const
    {
        for (const auto& entry : fs::directory_iterator(cache + "/workspaces"))
            return entry.path().string() + "/layers";
        return {};
    }
};

// Calls it where the process may open only so many more files that a deep folder is too much; false if it throws.
bool with_few_descriptors(const std::function<bool()>& call)
{
    constexpr rlim_t k_more = 10;
    rlimit before = {};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const Fd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit few{static_cast<rlim_t>(lowest.get()) + k_more, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    bool result = false;
    try {
        result = call();
    } catch (const Error&) {
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
    return result;
}

} // namespace

TEST_CASE("a snapshot of a plain folder holds its files, programs, links and empty folders", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a.txt", "a");
    place.put("deep/er/b.txt", "b");
    place.put("run.sh", "#!/bin/sh\n");
    fs::create_directory(place.root + "/empty");
    ::chmod((place.root + "/run.sh").c_str(), 0700);
    ::chmod((place.root + "/a.txt").c_str(), 04600);
    fs::create_symlink("/etc/passwd", place.root + "/out");
    fs::create_directory_symlink("..", place.root + "/up");

    const auto snapshot = place.take();

    CHECK(merged(snapshot) == Files{{"a.txt", "a"}, {"deep/er/b.txt", "b"}, {"run.sh", "*#!/bin/sh\n"}, {"out", "-> /etc/passwd"}, {"up", "-> .."}});
    CHECK(snapshot.files == 5);
    CHECK(snapshot.size_bytes == 12);
    CHECK(snapshot.copied_files == 5);
    REQUIRE(snapshot.layers.size() == 1);
    CHECK(fs::is_directory(snapshot.layers[0] + "/empty"));
    CHECK(mode_of(snapshot.layers[0]) == 0755);
    CHECK(mode_of(snapshot.layers[0] + "/a.txt") == 0644);
    CHECK(mode_of(snapshot.layers[0] + "/run.sh") == 0755);
    CHECK(mode_of(snapshot.layers[0] + "/deep") == 0755);
}

TEST_CASE("sockets and pipes are left out, and nothing waits for them", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    REQUIRE(::mkfifo((place.root + "/pipe").c_str(), 0600) == 0);
    CHECK(merged(place.take()) == Files{{"a", "a"}});
}

TEST_CASE("times of files are kept", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    const utimbuf times{1000000000, 1000000000};
    REQUIRE(::utime((place.root + "/a").c_str(), &times) == 0);
    struct stat info = {};
    REQUIRE(::stat((place.take().layers[0] + "/a").c_str(), &info) == 0);
    CHECK(info.st_mtime == 1000000000);
}

TEST_CASE("a snapshot of an unchanged folder copies nothing and has the same layers", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    place.put("b/c", "c");
    const auto first = place.take();
    for (int again = 0; again < 3; ++again) {
        const auto next = place.take();
        CHECK(next.layers == first.layers);
        CHECK(next.copied_files == 0);
        CHECK(next.files == 2);
    }
}

TEST_CASE("a change makes a layer of what changed, and what was taken before stays as it was", "[snapshot]")
{
    SnapshotPlace place;
    place.put("same", "same");
    place.put("changed", "old");
    place.put("gone/a", "a");
    place.put("gone/b/c", "c");
    place.put("file", "file");
    place.put("folder/x", "x");
    const auto before = place.take();
    const auto files_before = merged(before);

    place.put("changed", "new!");
    place.put("added/d", "d");
    place.remove("gone");
    place.remove("file");
    place.put("file/now", "a folder");
    place.remove("folder");
    place.put("folder", "a file");
    const auto after = place.take();

    CHECK(merged(after) == Files{{"same", "same"}, {"changed", "new!"}, {"added/d", "d"}, {"file/now", "a folder"}, {"folder", "a file"}});
    CHECK(after.copied_files == 4);
    if (takes_whiteouts(place.scratch)) {
        REQUIRE(after.layers.size() == 2);
        CHECK(after.layers[1] == before.layers[0]);
        CHECK_FALSE(fs::exists(after.layers[0] + "/same"));
    } else {
        CHECK(after.layers.size() == 1);
    }
    CHECK(merged(before) == files_before);

    // What had been removed comes back, below a hidden folder, too.
    place.put("gone/a", "again");
    CHECK(merged(place.take()) == Files{{"same", "same"},
                                        {"changed", "new!"},
                                        {"added/d", "d"},
                                        {"file/now", "a folder"},
                                        {"folder", "a file"},
                                        {"gone/a", "again"}});
}

TEST_CASE("a change of the same size within one tick of the clock is seen", "[snapshot]")
{
    SnapshotPlace place;
    for (int round = 0; round < 50; ++round) {
        const std::string text = round % 2 == 0 ? "even" : "odd!";
        place.put("a", text);
        REQUIRE(merged(place.take()) == Files{{"a", text}});
    }
}

TEST_CASE("a file whose only news is its inode is not copied, one with a new mode or time is", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    place.put("b", "b");
    place.take();
    fs::create_hard_link(place.root + "/a", place.scratch / "other"); // a new ctime
    CHECK(place.take().copied_files == 0);
    ::chmod((place.root + "/a").c_str(), 0755);
    CHECK(merged(place.take()) == Files{{"a", "*a"}, {"b", "b"}});
    const utimbuf times{1000000000, 1000000000};
    ::utime((place.root + "/b").c_str(), &times);
    CHECK(place.take().copied_files == 1);
}

TEST_CASE("a stack of layers stays short, and is flattened without copying the files again", "[snapshot]")
{
    SnapshotPlace place;
    place.put("same", std::string(100000, 's'));
    std::size_t deepest = 0;
    std::uint64_t copied = 0;
    for (int round = 0; round < 40; ++round) {
        place.put("file" + std::to_string(round % 7), std::to_string(round));
        place.remove("file" + std::to_string((round + 3) % 7));
        const auto snapshot = place.take();
        deepest = std::max(deepest, snapshot.layers.size());
        copied += snapshot.copied_bytes;
        const auto files = merged(snapshot);
        REQUIRE(files.at("file" + std::to_string(round % 7)) == std::to_string(round));
        REQUIRE(files.count("file" + std::to_string((round + 3) % 7)) == 0);
    }
    CHECK(deepest <= 16);
    CHECK((deepest == 16 || !takes_whiteouts(place.scratch)));
    CHECK(copied < 101000);
}

TEST_CASE("layers that nobody uses go away, pinned and recent ones stay", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "0");
    auto pinned = std::make_unique<Snapshot>(place.take());
    const std::string first = pinned->layers[0];
    for (int round = 1; round < 45; ++round) {
        place.put("a", std::to_string(round));
        place.take();
    }
    CHECK(slurp(first + "/a") == "0");
    pinned.reset();
    place.put("a", "last");
    const auto last = place.take();
    CHECK_FALSE(fs::exists(first));
    CHECK(std::distance(fs::directory_iterator(place.layers()), {}) <= 16 + 5);
    for (const auto& layer : last.layers)
        CHECK(fs::exists(layer));
}

TEST_CASE("a cache whose layers were deleted starts anew", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    place.take();
    fs::remove_all(place.layers());
    CHECK(merged(place.take()) == Files{{"a", "a"}});
}

TEST_CASE("a manifest that is cut or changed is refused or harmless", "[snapshot]")
{
    SourceManifest manifest;
    manifest.layers = {3, 1};
    manifest.rules = "r";
    const auto top = manifest.tree.add({.type = TreeNode::Type::folder}, "");
    manifest.tree.add({.size_bytes = 7}, "file");
    manifest.tree.nodes[top].end = 2;
    const std::string bytes = encode(manifest);
    SourceManifest read;
    REQUIRE(decode(bytes, read));
    CHECK(read.layers == manifest.layers);
    CHECK(read.tree.name(read.tree.nodes[1]) == "file");
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(decode(bytes.substr(0, size), read));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string broken = bytes;
        broken[at] = static_cast<char>(broken[at] ^ 0x55);
        if (decode(broken, read))
            for (const auto& node : read.tree.nodes)
                CHECK(read.tree.name(node).size() <= 4);
    }
}

TEST_CASE("a snapshot does not take its own cache, and does not grow by being taken", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a", "a");
    place.cache = place.root + "/.cache";
    place.take();
    CHECK(merged(place.take()) == Files{{"a", "a"}});
}

TEST_CASE("a folder that may not be read is an error that says what to do", "[snapshot]")
{
    if (::getuid() == 0)
        return; // root reads everything
    SnapshotPlace place;
    place.put("secret/a", "a");
    ::chmod((place.root + "/secret").c_str(), 0);
    CHECK_THROWS_WITH(place.take(), ContainsSubstring("secret"));
    ::chmod((place.root + "/secret").c_str(), 0700);
}

TEST_CASE("too deep a tree is refused", "[snapshot]")
{
    SnapshotPlace place;
    std::string path = place.root;
    for (int depth = 0; depth < 201; ++depth)
        path += "/d";
    fs::create_directories(path);
    CHECK_THROWS_WITH(place.take(), ContainsSubstring("nested deeper than 200 folders"));
}

TEST_CASE("two processes may take snapshots of one folder at once", "[snapshot]")
{
    SnapshotPlace place;
    for (int file = 0; file < 50; ++file)
        place.put("f" + std::to_string(file), std::to_string(file));
    std::vector<pid_t> children;
    for (int child = 0; child < 3; ++child) {
        children.push_back(::fork());
        if (children.back() == 0) {
            int bad = 0;
            for (int round = 0; round < 20; ++round) {
                place.put("own" + std::to_string(child), std::to_string(round));
                const auto files = merged(place.take());
                bad += files.at("own" + std::to_string(child)) == std::to_string(round) && files.at("f49") == "49" ? 0 : 1;
            }
            ::_exit(bad);
        }
    }
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        CHECK(status == 0);
    }
}

// ---- git

TEST_CASE("the working tree comes without what git ignores, but with what is tracked, and with .git", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write("kept.o", "tracked although ignored");
    repo.write("src/a.c", "a");
    repo.commit();
    repo.write(".gitignore", "*.o\n/build/\n!important.o\n");
    repo.write("src/.gitignore", "local*\n");
    repo.write("x.o", "x");
    repo.write("important.o", "i");
    repo.write("build/out", "out");
    repo.write("src/build/out", "not the root's");
    repo.write("src/local.txt", "l");
    repo.write("untracked", "u");

    const auto snapshot = place.take();

    CHECK(without_git(merged(snapshot)) == Files{{"kept.o", "tracked although ignored"},
                                                 {"src/a.c", "a"},
                                                 {".gitignore", "*.o\n/build/\n!important.o\n"},
                                                 {"src/.gitignore", "local*\n"},
                                                 {"important.o", "i"},
                                                 {"src/build/out", "not the root's"},
                                                 {"untracked", "u"}});
    CHECK(merged(snapshot).at(".git/HEAD") == "ref: refs/heads/main\n");
    CHECK(place.take().copied_files == 0);
}

TEST_CASE("a changed rule takes effect in the next snapshot", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write("a", "a");
    repo.write("b/c", "c");
    repo.write("b/d/e", "e");
    CHECK(without_git(merged(place.take())).size() == 3);
    repo.write("b/.gitignore", "d/\n");
    CHECK(without_git(merged(place.take())) == Files{{"a", "a"}, {"b/c", "c"}, {"b/.gitignore", "d/\n"}});
    repo.write("b/.gitignore", "x/\n");
    CHECK(without_git(merged(place.take())).count("b/d/e") == 1);
    repo.write(".git/info/exclude", "b\n");
    CHECK(without_git(merged(place.take())) == Files{{"a", "a"}});
    fs::remove(place.root + "/.git/info/exclude");
    CHECK(without_git(merged(place.take())).size() == 4);
    repo.write(".git/info/exclude", "b\n");
    CHECK(without_git(merged(place.take())).size() == 1);
    // Tracked now: the rule has no say any more.
    git_index* index = nullptr;
    TestRepo::check(git_repository_index(&index, repo.get()));
    TestRepo::check(git_index_add_bypath(index, "b/c"));
    TestRepo::check(git_index_write(index));
    git_index_free(index);
    CHECK(without_git(merged(place.take())) == Files{{"a", "a"}, {"b/c", "c"}});
}

TEST_CASE("a repository inside of the repository is taken as it is", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo outer(place.root);
    outer.write(".gitignore", "*.o\n");
    outer.commit();
    TestRepo inner(place.root + "/sub");
    inner.write("a.o", "a");
    inner.commit();
    const auto files = merged(place.take());
    CHECK(files.at("sub/a.o") == "a");
    CHECK(files.count("sub/.git/HEAD") == 1);
}

TEST_CASE("a folder inside of a repository means the repository, unless git ignores it", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write(".gitignore", "scratch/\n");
    repo.write("sub/a", "a");
    repo.write("scratch/b", "b");
    auto options = place.options();
    options.folder += "/sub";
    CHECK(merged(take_snapshot(options)).count("sub/a") == 1);
    options.folder = place.root + "/scratch";
    CHECK(merged(take_snapshot(options)) == Files{{"b", "b"}});
    CHECK_FALSE(inspect_source(options.folder).is_git);
}

TEST_CASE("a commit comes without the work tree's changes, with a HEAD and index that fit it", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write("a", "one");
    repo.write("tool", "x");
    ::chmod((place.root + "/tool").c_str(), 0755);
    fs::create_symlink("a", place.root + "/link");
    const std::string first = repo.commit();
    repo.write("a", "two");
    repo.commit();
    repo.write("a", "dirty");
    repo.write("new", "new");

    const auto head = take_snapshot(place.options(false));
    CHECK(without_git(merged(head)) == Files{{"a", "two"}, {"tool", "*x"}, {"link", "-> a"}});
    CHECK(merged(head).at(".git/HEAD") == "ref: refs/heads/main\n");

    const auto old = take_snapshot(place.options(true, first.substr(0, 10)));
    CHECK(without_git(merged(old)) == Files{{"a", "one"}, {"tool", "*x"}, {"link", "-> a"}});
    CHECK(merged(old).at(".git/HEAD") == first + "\n");
    CHECK(merged(old).at(".git/index").substr(0, 4) == "DIRC");

    const auto again = take_snapshot(place.options(true, "HEAD~1"));
    CHECK(again.layers == old.layers);
    CHECK(again.copied_files == 0);
    CHECK(again.files == old.files);
    CHECK_THROWS_WITH(take_snapshot(place.options(true, "nope")), ContainsSubstring("there is no commit 'nope'"));
}

TEST_CASE("a tree whose layers were removed does not take other layers for its own", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    std::vector<std::string> commits;
    for (int number = 0; number < 10; ++number) {
        repo.write("a", std::to_string(number));
        commits.push_back(repo.commit());
    }
    take_snapshot(place.options(true, commits[0]));
    const auto of_tree = place.take().layers;
    for (int number = 1; number < 10; ++number)
        take_snapshot(place.options(true, commits[static_cast<std::size_t>(number)]));
    for (const auto& layer : of_tree)
        REQUIRE_FALSE(fs::exists(layer));
    repo.write("b", "b");
    take_snapshot(place.options(true, repo.commit()));

    const auto files = merged(place.take());

    CHECK(without_git(files) == Files{{"a", "9"}, {"b", "b"}});
    CHECK(files.at(".git/HEAD") == "ref: refs/heads/main\n");
    CHECK(files.count(".git/config") == 1);
}

TEST_CASE("a removal of layers that ended in the middle leaves none that looks whole", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    std::string deep = "deep";
    for (int level = 0; level < 20; ++level)
        deep += "/d";
    Files files{{deep + "/file", "d"}};
    for (int file = 0; file < 50; ++file)
        files["file" + std::to_string(file)] = "f";
    for (const auto& [name, text] : files)
        repo.write(name, text);
    repo.commit();
    take_snapshot(place.options(false));
    const std::string folder = fs::path(place.layers()).parent_path().string();

    CHECK_FALSE(with_few_descriptors([&folder] { return clear_source(folder); }));

    CHECK_FALSE(known_sources(place.cache).empty());
    CHECK(without_git(merged(take_snapshot(place.options(false)))) == files);
    for (const auto& layer : fs::directory_iterator(place.layers()))
        CHECK_FALSE(layer.path().filename().string().starts_with("gone-"));
    CHECK(clear_source(folder));
    CHECK(known_sources(place.cache).empty());
    CHECK(without_git(merged(take_snapshot(place.options(false)))) == files);
}

TEST_CASE("a commit without filters: what .gitattributes asks for is not run", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.config("filter.evil.smudge", "touch " + place.scratch.path() + "/ran");
    repo.config("filter.evil.clean", "touch " + place.scratch.path() + "/ran");
    repo.config("core.fsmonitor", "touch " + place.scratch.path() + "/ran");
    repo.write(".gitattributes", "* filter=evil\n*.txt text eol=crlf\n");
    repo.write("a.txt", "a\n");
    repo.commit();
    repo.write("a.txt", "b\n");
    CHECK(merged(take_snapshot(place.options(false))).at("a.txt") == "a\n");
    inspect_source(place.root);
    place.take();
    CHECK_FALSE(fs::exists(place.scratch / "ran"));
}

TEST_CASE("a commit with hostile paths is refused and writes nothing outside", "[snapshot][git]")
{
    const std::string name = GENERATE(as<std::string>(), "..", ".git", ".GIT", "link");
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write("a", "a");
    repo.commit();
    // Written by hand: libgit2 refuses to make such trees.
    git_oid blob, inner, outer;
    TestRepo::check(git_blob_create_from_buffer(&blob, repo.get(), "x", 1));
    git_oid link;
    const std::string target = place.scratch / "outside";
    fs::create_directory(target);
    TestRepo::check(git_blob_create_from_buffer(&link, repo.get(), target.data(), target.size()));
    const auto entry = [](const std::string& mode_and_name, const git_oid& id) {
        return mode_and_name + std::string(1, '\0') + std::string(reinterpret_cast<const char*>(id.id), GIT_OID_RAWSZ);
    };
    git_odb* odb = nullptr;
    TestRepo::check(git_repository_odb(&odb, repo.get()));
    const std::string inner_tree = entry("100644 x", blob);
    TestRepo::check(git_odb_write(&inner, odb, inner_tree.data(), inner_tree.size(), GIT_OBJECT_TREE));
    const std::string outer_tree = (name == "link" ? entry("120000 link", link) : "") + entry("40000 " + name, inner);
    TestRepo::check(git_odb_write(&outer, odb, outer_tree.data(), outer_tree.size(), GIT_OBJECT_TREE));
    const std::string commit = "tree " + std::string(git_oid_tostr_s(&outer)) + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n";
    git_oid id;
    TestRepo::check(git_odb_write(&id, odb, commit.data(), commit.size(), GIT_OBJECT_COMMIT));
    git_odb_free(odb);

    CHECK_THROWS_AS(take_snapshot(place.options(false, git_oid_tostr_s(&id))), Error);
    CHECK(fs::is_empty(target));
    CHECK_FALSE(fs::exists(place.cache + "/x"));
}

TEST_CASE("a linked work tree and a bare repository give a whole .git", "[snapshot][git]")
{
    SnapshotPlace place;
    TestRepo repo(place.root);
    repo.write("a", "a");
    repo.commit();
    git_worktree* tree = nullptr;
    const std::string path = place.scratch / "linked";
    TestRepo::check(git_worktree_add(&tree, repo.get(), "linked", path.c_str(), nullptr));
    git_worktree_free(tree);
    write(path + "/b", "b");

    CHECK(inspect_source(path).branch == "linked");
    const auto files = merged(take_snapshot({path, true, "", place.cache}));
    CHECK(files.at("b") == "b");
    CHECK(files.at(".git/HEAD") == "ref: refs/heads/linked\n");
    CHECK(files.count(".git/config") == 1);
    CHECK(files.count(".git/index") == 1);
    CHECK(files.count(".git/worktrees/linked/HEAD") == 0);

    git_repository* bare = nullptr;
    TestRepo::check(git_clone(&bare, place.root.c_str(), (place.scratch / "bare.git").c_str(), [] {
        static git_clone_options options = GIT_CLONE_OPTIONS_INIT;
        options.bare = 1;
        return &options;
    }()));
    git_repository_free(bare);
    const auto of_bare = merged(take_snapshot({place.scratch / "bare.git", true, "", place.cache}));
    CHECK(of_bare.at("a") == "a");
    CHECK(inspect_source(place.scratch / "bare.git").branch == "main");
}

TEST_CASE("a snapshot that nobody needs any more ends, and leaves no half of a layer", "[snapshot]")
{
    SnapshotPlace place;
    place.put("a.txt", "a");
    auto options = place.options();
    std::stop_source stop;
    options.stop = stop.get_token();
    stop.request_stop();

    CHECK_THROWS_WITH(take_snapshot(options), "nobody needs the files any more");
    CHECK(fs::is_empty(place.layers()));
    CHECK(place.take().copied_files == 1);
}
