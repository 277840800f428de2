#include "pipeline/plan_steps.hpp"

#include "support/catch.hpp"

#include <random>
#include <set>

using namespace gantry::pipeline;

namespace {

using Graph = std::vector<std::vector<std::size_t>>;

// Found by walking.
std::set<std::size_t> reached_from(const Graph& needs, std::size_t stage)
{
    std::set<std::size_t> reached;
    std::vector<std::size_t> open = needs[stage];
    while (!open.empty()) {
        const auto next = open.back();
        open.pop_back();
        if (reached.insert(next).second)
            open.insert(open.end(), needs[next].begin(), needs[next].end());
    }
    return reached;
}

std::set<std::size_t> found_by(const AllNeeds& all, std::size_t stages, std::size_t stage)
{
    std::set<std::size_t> found;
    for (std::size_t other = 0; other < stages; ++other)
        if (all.has(stage, other))
            found.insert(other);
    return found;
}

} // namespace

TEST_CASE("what stages need over others is what a walk finds, also in circles", "[graph]")
{
    std::mt19937 random(7);
    for (const std::size_t stages : {1, 2, 5, 63, 64, 65, 130}) {
        for (std::size_t edges : {stages / 2, stages, 2 * stages}) {
            Graph needs(stages);
            for (; edges > 0; --edges)
                needs[random() % stages].push_back(random() % stages);
            const AllNeeds all(needs);
            for (std::size_t stage = 0; stage < stages; ++stage) {
                CAPTURE(stages, stage);
                CHECK(found_by(all, stages, stage) == reached_from(needs, stage));
            }
        }
    }
}
