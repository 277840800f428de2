#include "pipeline/checks_internal.hpp"

#include "pipeline/plan_build.hpp"
#include "pipeline/plan_texts.hpp"

#include "base/format.hpp"

namespace gantry::pipeline {

namespace {

struct Size {
    std::size_t steps = 0, bytes = 0, expressions = 0;
};

// Of one row.
Size size_of(const Stage& stage, const std::vector<PlacedStep>& steps)
{
    Size size;
    size.steps = steps.size();
    TextWalker walker([&](const Text& text, const auto&) {
        for (const auto& part : text.parts())
            size.expressions += part.is_expression ? 1 : 0;
    });
    walker.whole(stage.container);
    walker.whole(stage.services);
    for (const auto& placed : steps) {
        const auto& step = *placed.step;
        walker.whole(step.container);
        walker.whole(step.run);
        walker.whole(step.settings);
        walker.whole(step.build);
        walker.whole(step.push);
    }
    size.bytes = walker.bytes;
    return size;
}

struct Limit {
    std::size_t Size::*part;
    std::size_t most;
    std::string (*told)(std::size_t); // a number of them
};

const Limit k_limits[] = {
    {&Size::steps, k_max_plan_steps, [](std::size_t count) { return format_count(count, "step"); }},
    {&Size::expressions, k_max_plan_expressions, [](std::size_t count) { return format_count(count, "expression"); }},
    {&Size::bytes, k_max_plan_bytes, [](std::size_t count) { return format_size(count) + " of text"; }},
};

} // namespace

void check_size(const Definition& definition, const StageGraph& graph, const std::vector<std::size_t>& rows, Diagnostics& out)
{
    std::vector<Size> sizes; // of the stages, with all rows
    for (std::size_t i = 0; i < rows.size(); ++i) {
        // What is not multiplied is as small as the file.
        auto size = rows[i] > 1 ? size_of(definition.stages[i], graph.steps[i]) : Size{graph.steps[i].size(), 0, 0};
        for (const auto& limit : k_limits)
            size.*limit.part *= rows[i];
        sizes.push_back(size);
    }
    for (const auto& limit : k_limits) {
        std::size_t sum = 0, largest = 0;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            sum += sizes[i].*limit.part;
            largest = sizes[i].*limit.part > sizes[largest].*limit.part ? i : largest;
        }
        if (sum <= limit.most)
            continue;
        const auto& stage = definition.stages[largest];
        auto hint = rows[largest] > 1 ? fmt::format("{} in the {} of the matrix of '{}'", limit.told(sizes[largest].*limit.part),
                                                    format_count(rows[largest], "row"), terminal_safe(stage.name))
                                      : "";
        out.push_back(error_at(stage.mark, "plan-too-large", fmt::format("the plan has {}, and {} are the most", limit.told(sum), limit.told(limit.most)),
                               fmt::format("stages[{}]", largest), std::move(hint)));
        return;
    }
}

} // namespace gantry::pipeline
