#pragma once

#include "pipeline/expression.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace gantry::pipeline {

// The patterns of `matches`, for many evaluations: those used last are compiled once, and all work on them is bounded. Its unit is an
// instruction of a compiled pattern, which takes less than a microsecond: 20 bytes such as "((a{100}){10}|b)" make a thousand.
class Patterns {
public:
    explicit Patterns(std::size_t most_work) : most_work_(most_work) {}

    // Whether `left` matches.
    Evaluated match(const Value& left, const Value& pattern);
    // Why nothing can be matched with it; empty: it can.
    std::string problem_of(const Value& pattern);

private:
    struct Compiled;
    std::shared_ptr<const Compiled> compile(const Value& pattern);

    std::size_t most_work_, work_ = 0, kept_ = 0;
    std::unordered_map<std::string, std::shared_ptr<const Compiled>> compiled_;
};

inline constexpr std::size_t k_max_check_pattern_work = 150'000;
inline constexpr std::size_t k_max_plan_pattern_work = 5'000'000;

} // namespace gantry::pipeline
