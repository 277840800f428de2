#include "pipeline/plan.hpp"

#include "base/error.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>

using namespace gantry::pipeline;

// Any JSON is a plan, which then survives a round trip and can be drawn, or is refused as bad input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto json = nlohmann::json::parse(data, data + size, nullptr, false);
    if (json.is_discarded())
        return 0;
    try {
        const auto plan = plan_from_json(json);
        GANTRY_ASSERT(plan_from_json(to_json(plan)) == plan);
        render_plan(plan);
        render_graph_text(plan);
        render_graph_dot(plan);
        render_graph_mermaid(plan);
    } catch (const gantry::Error& error) {
        GANTRY_ASSERT(error.code() == gantry::Errc::bad_input);
    }
    return 0;
}
