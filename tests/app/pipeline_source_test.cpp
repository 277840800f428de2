#include "app/pipeline_source.hpp"

#include "base/file.hpp"
#include "base/scratch.hpp"
#include "program.hpp"
#include "support/catch.hpp"

#include <filesystem>

using namespace gantry;
namespace fs = std::filesystem;

namespace {

// A repository without commits: a pipeline at its root, one in `own`, and folders without any.
struct Repository {
    Scratch scratch;
    fs::path root = fs::canonical(scratch.path()) / "shop";

    Repository()
    {
        for (const auto* folder : {".git/objects", ".git/refs", "own/below", "sub/below"})
            fs::create_directories(root / folder);
        write_file_atomic(root / ".git/HEAD", "ref: refs/heads/main\n", 0644);
        for (const auto* file : {".gantry.yml", "own/.gantry.yml"})
            write_file_atomic(root / file, "image: busybox\nsteps: [{ run: make }]\n", 0644);
    }
    std::string path(const std::string& below) const { return root.string() + below; }
};

std::string folder_of_a_run(const std::string& path)
{
    app::SourceFlags flags;
    flags.path = path;
    return app::load_pipeline(flags).snapshot.folder;
}

} // namespace

TEST_CASE("caches are looked for where a run of the same path keeps them", "[app]")
{
    const Repository repository;
    for (const auto* below : {"", "/", "/.", "/sub", "/sub/below/", "/own", "/own/", "/own/below", "/sub/../own"}) {
        INFO(below);
        CHECK(app::folder_of_runs(repository.path(below)) == folder_of_a_run(repository.path(below)));
    }
    CHECK(app::folder_of_runs(repository.path("/sub/below")) == repository.path(""));
    CHECK(app::folder_of_runs(repository.path("/own")) == repository.path("/own"));
}

TEST_CASE("a repository that is gone is named by its path", "[app]")
{
    const Repository repository;
    CHECK(app::folder_of_runs(repository.path("/gone")) == repository.path("/gone"));
    CHECK(app::folder_of_runs(repository.path("/gone/")) == repository.path("/gone"));
    CHECK(app::folder_of_runs(repository.path("/sub/../gone/.")) == repository.path("/gone"));
}

TEST_CASE("a folder outside of repositories is a repository of its own", "[app]")
{
    const Scratch scratch;
    const auto folder = fs::canonical(scratch.path()).string();
    CHECK(app::folder_of_runs(folder + "/") == folder);
}

TEST_CASE("check looks at every pipeline of a repository, the others ask for one", "[app]")
{
    const Repository repository;
    fs::remove(repository.root / ".gantry.yml");
    fs::create_directories(repository.root / ".gantry");
    write_file_atomic(repository.root / ".gantry/a.yml", "image: busybox\nsteps: [make]\n", 0644);
    write_file_atomic(repository.root / ".gantry/b.yaml", "image: busybox\nsteps: [make]\n", 0644);
    write_file_atomic(repository.root / ".gantry/notes.txt", "none", 0644);
    for (const auto* below : {"", "/sub", "/.gantry", "/.gantry/"}) {
        INFO(below);
        const auto good = test::run_gantry({"check", repository.path(below)});
        CHECK(good.exit_code == 0);
        CHECK_THAT(good.out, ContainsSubstring("a.yml") && ContainsSubstring("b.yaml"));
    }
    const auto asked = test::run_gantry({"plan", repository.path("")});
    CHECK(asked.exit_code == 2);
    CHECK_THAT(asked.err, ContainsSubstring("choose one: gantry plan -f .gantry/a.yml"));

    write_file_atomic(repository.root / ".gantry/b.yaml", "image: busybox\nsteps: [make]\ntimout: 1m\n", 0644);
    const auto bad = test::run_gantry({"check", repository.path("")});
    CHECK(bad.exit_code == 2);
    CHECK_THAT(bad.err, ContainsSubstring("b.yaml:3:1: error: unknown key 'timout'") && ContainsSubstring("1 problem in 1 file"));

    write_file_atomic(repository.root / ".gantry.yml", "image: busybox\nsteps: [make]\n", 0644);
    CHECK(test::run_gantry({"check", repository.path("")}).exit_code == 0);
    CHECK(test::run_gantry({"check", repository.path("/.gantry")}).exit_code == 2);
}
