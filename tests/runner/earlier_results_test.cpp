#include "base/scratch.hpp"
#include "runner/report_results.hpp"
#include "runner/store.hpp"
#include "support/catch.hpp"

#include <memory>

using namespace gantry;
using namespace gantry::runner;

namespace {

// Runs whose results tell them apart by how many lines were covered.
struct RunsWithResults {
    Scratch scratch;
    std::unique_ptr<Store> store = open_store(scratch / "state");

    std::string add(const std::string& folder, const std::string& file, std::uint64_t covered = 0)
    {
        const auto run = store->create_run({}, {.folder = folder, .file = file});
        if (covered > 0)
            write_results(run->folder(), "test", {std::nullopt, LineCount{100, covered}});
        return run->id();
    }

    // 0: there are none.
    std::uint64_t before(const std::string& run, const std::string& stage = "test") const
    {
        const auto results = find_earlier_results(*store, run, stage);
        return results ? results->coverage.value().covered : 0;
    }
};

} // namespace

TEST_CASE("earlier results are those of the latest earlier run of the same file in the same folder", "[reports]")
{
    RunsWithResults runs;
    const auto first = runs.add("/src", "a.yml", 1);
    const auto elsewhere = runs.add("/other", "a.yml", 2);
    const auto of_another_file = runs.add("/src", "b.yml", 3);
    runs.add("/src", "a.yml"); // had none
    const auto middle = runs.add("/src", "a.yml", 5);
    const auto last = runs.add("/src", "a.yml", 6);

    CHECK(runs.before(middle) == 1U);
    CHECK(runs.before(last) == 5U);
    CHECK(runs.before(first) == 0U);
    CHECK(runs.before(elsewhere) == 0U);
    CHECK(runs.before(of_another_file) == 0U);
    CHECK(runs.before(last, "other") == 0U);
}

TEST_CASE("earlier results are looked for in a hundred runs and no more", "[reports]")
{
    RunsWithResults runs;
    runs.add("/src", "a.yml", 1);
    for (int i = 0; i < 99; ++i)
        runs.add("/src", "a.yml");
    const auto near = runs.add("/src", "a.yml"), far = runs.add("/src", "a.yml");
    CHECK(runs.before(near) == 1U);
    CHECK(runs.before(far) == 0U);
}
