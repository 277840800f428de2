#pragma once

#include "pipeline/definition.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::pipeline {

// A step with its place. Groups count on from `steps` into `finally`.
struct PlacedStep {
    const Step* step = nullptr;
    std::string id; // its name, or "step-3" by its place in the stage; unique where names are
    int group = 0;
    bool in_finally = false;
    std::size_t group_index = 0; // in its own list
    std::size_t index = 0;       // in its group
    std::size_t group_size = 1;
};
std::vector<PlacedStep> placed_steps(const Stage& stage);

// "stages[1].steps[0].parallel[2]"
std::string path_of(std::size_t stage, const PlacedStep& placed);

// Stages by name, and who needs whom by index; a stage without `needs:` needs the one above. Names that do not exist
// are left out. The definition outlives it.
struct StageGraph {
    std::vector<std::vector<PlacedStep>> steps; // of each stage
    std::unordered_map<std::string_view, std::size_t> by_name; // the first of a name
    std::vector<std::vector<std::size_t>> needs;
};
StageGraph make_stage_graph(const Definition& definition);

// Of "test[gcc=13]", which names one row of a matrix: "test".
std::string_view stage_name_of(std::string_view need);

// Whom each stage needs, over others or directly; itself only in a circle. Made in time that hardly depends on how long the
// chains of needs are, with a bit for each pair.
class AllNeeds {
public:
    explicit AllNeeds(const std::vector<std::vector<std::size_t>>& needs);
    bool has(std::size_t stage, std::size_t needed) const;

private:
    std::vector<std::size_t> part_; // of each stage: those of a circle have the same needs
    std::size_t words_ = 0;         // of a row
    std::vector<std::uint64_t> rows_;
};

// One cycle of each part of the graph that has any, in the order "a needs b, b needs …": {a, b}.
std::vector<std::vector<std::size_t>> find_cycles(const std::vector<std::vector<std::size_t>>& needs);

} // namespace gantry::pipeline
