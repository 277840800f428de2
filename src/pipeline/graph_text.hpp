#pragma once

#include "pipeline/plan.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// How the parts of a plan are written in a line of text. Everything comes out safe for a terminal and in one line.

namespace gantry::pipeline {

inline constexpr int k_columns = 80;

// "test [go=1.22]"
std::string title_of(const PlanStage& stage);

// fit(), filled up with spaces.
std::string pad(std::string_view text, int columns);

// "configure › lint ∥ vet › report", the groups in turn.
std::string steps_of(const PlanStage& stage);

// Titles of the stages that `stage` needs; all rows of one stage together: "test (2 rows)".
class NeedsText {
public:
    explicit NeedsText(const Plan& plan);
    std::vector<std::string> needs_of(const PlanStage& stage) const;
    const PlanStage* find(const std::string& id) const;

private:
    std::unordered_map<std::string_view, const PlanStage*> by_id_;
    std::unordered_map<std::string_view, std::size_t> rows_;
};

} // namespace gantry::pipeline
