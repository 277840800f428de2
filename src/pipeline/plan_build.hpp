#pragma once

#include "pipeline/expression_patterns.hpp"
#include "pipeline/plan_scope.hpp"
#include "pipeline/plan_select.hpp"

#include <string>
#include <vector>

namespace gantry::pipeline {

inline constexpr std::size_t k_max_plan_steps = 20'000;
inline constexpr std::size_t k_max_plan_bytes = 128 * 1024 * 1024;
// That rows of a matrix compute anew, each: a second of work.
inline constexpr std::size_t k_max_plan_expressions = 500'000;

// Makes the stages of a plan, one unit at a time: inheritance, variables, and everything that can be computed now.
class StageBuilder {
public:
    StageBuilder(const Definition& definition, const Event& event, const PlanOptions& options, Diagnostics& problems);

    PlanStage build(const PlanUnit& unit, std::vector<std::string> needs, const Selection& selection);
    // Of the whole pipeline.
    std::optional<Concurrency> concurrency();
    // The plan got larger than k_max_plan_bytes; a problem says so.
    bool is_full() const { return bytes_ > k_max_plan_bytes; }

private:
    void build_parts(const Stage& stage, const std::string& path, PlanStage& result);
    void build_service(Service& service, const std::string& path);
    void put_key_of_files(Cache& cache, const std::string& path);
    void build_step(const Stage& stage, std::size_t index, const PlacedStep& placed, const Container& inherited,
                    PlanStep& result);
    void fill_step(const Stage& stage, const PlacedStep& placed, PlanStep& result);
    void add_level(VariableMerge& variables, const Container& level, const std::string& path, Mark fallback);
    void add_env(VariableMerge& variables, const EnvMap& env, const std::string& path, Mark fallback);
    void add_env_file(VariableMerge& variables, const Container& level, const EnvFileEntry& file,
                      const std::string& path, Mark fallback);
    template <typename Condition, typename Reason>
    void put_condition(const std::optional<Text>& condition, Condition& left, Reason& skip_reason,
                       const std::string& path, Mark fallback);
    template <typename T>
    void put_values(T& part, const std::string& path, Mark fallback);
    template <typename Path>
    Text value_of(const Text& text, Path path, Mark fallback);
    void report(const TextError& error, const std::string& path, Mark fallback);
    void count(std::size_t bytes);

    const Definition& definition_;
    const Event& event_;
    const PlanOptions& options_;
    Diagnostics& problems_;
    Patterns patterns_{k_max_plan_pattern_work};
    Scope scope_;
    const VariableMerge* variables_ = nullptr; // what `env` means at the moment
    VariableMerge of_stage_;
    bool quiet_ = false; // what is skipped may be wrong
    std::size_t bytes_ = 0;
};

} // namespace gantry::pipeline
