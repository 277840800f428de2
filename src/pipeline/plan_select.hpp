#pragma once

#include "pipeline/plan.hpp"
#include "pipeline/plan_steps.hpp"

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gantry::pipeline {

// One stage of the plan before it is built: a stage of the definition in one row of its matrix.
struct PlanUnit {
    std::size_t stage = 0;
    MatrixRow row;
    std::string id;
    std::vector<std::size_t> needs; // indices of units, ascending, each once
};

// By unit: whether its row agrees with `--matrix`, for each key that any row of its stage has. Several values of one key are
// alternatives. All do where a problem is told.
std::vector<bool> matching_rows(const std::vector<PlanUnit>& units, const PlanOptions& options, Diagnostics& problems);

// What of the units is to be planned.
struct Selection {
    std::vector<bool> units;
    // By stage, where only some steps were asked for: the last group that runs, and of that group just these.
    struct Steps {
        int last_group = 0;
        std::unordered_set<std::string> of_last_group;
        bool all_groups = false; // a step of `finally` was asked for
    };
    std::unordered_map<std::size_t, Steps> steps;

    bool has(std::size_t stage, const PlacedStep& step) const;
};

// `--stage` and `--step`, in the rows that match, with everything that they need, whether it matches or not.
Selection select(const Definition& definition, const std::vector<PlanUnit>& units, const std::vector<bool>& matching,
                 const PlanOptions& options, Diagnostics& problems);

// The selected units in an order in which each comes after what it needs: by the length of the longest way from the
// start, then by their place in the file. There must be no cycle.
std::vector<std::size_t> in_order(const std::vector<PlanUnit>& units, const std::vector<bool>& selected);

} // namespace gantry::pipeline
