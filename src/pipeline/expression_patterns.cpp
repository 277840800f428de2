#include "pipeline/expression_patterns.hpp"

#include "pipeline/expression_functions.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <optional>

namespace gantry::pipeline {

namespace {

constexpr std::size_t k_max_pattern_bytes = 4096;
constexpr std::size_t k_max_kept_patterns = 32;
constexpr std::size_t k_max_kept_work = 50'000;
// Beside its instructions: of any pattern, and of one that is given up as too large.
constexpr std::size_t k_least_work = 5;
constexpr std::size_t k_work_of_too_large = 45'000;

RE2::Options pattern_options()
{
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(4 * 1024 * 1024);
    return options;
}

std::size_t work_of(const RE2& regex)
{
    if (regex.ok())
        return k_least_work + static_cast<std::size_t>(regex.ProgramSize());
    return regex.error_code() == RE2::ErrorPatternTooLarge ? k_work_of_too_large : k_least_work;
}

} // namespace

struct Patterns::Compiled {
    std::string problem;
    std::optional<RE2> regex = std::nullopt;
};

std::shared_ptr<const Patterns::Compiled> Patterns::compile(const Value& pattern)
{
    const auto refused = [](std::string problem) -> std::shared_ptr<const Compiled> {
        auto made = std::make_shared<Compiled>();
        made->problem = std::move(problem);
        return made;
    };
    const auto* text = std::get_if<std::string>(&pattern);
    if (!text)
        return refused(fmt::format("'matches' needs a pattern as text on its right, not {}", type_name(pattern)));
    if (text->size() > k_max_pattern_bytes)
        return refused(fmt::format("the pattern of 'matches' is longer than {} bytes", k_max_pattern_bytes));
    if (const auto found = compiled_.find(*text); found != compiled_.end())
        return found->second;
    if (work_ > most_work_)
        return refused("the patterns of 'matches' are too much work together: use fewer, or smaller repetitions");
    auto made = std::make_shared<Compiled>();
    const auto& regex = made->regex.emplace(*text, pattern_options());
    if (!regex.ok())
        made->problem = fmt::format("the pattern of 'matches' is wrong: {}", regex.error());
    const auto work = work_of(regex);
    work_ += work;
    if (compiled_.size() >= k_max_kept_patterns || kept_ + work > k_max_kept_work) {
        compiled_.clear();
        kept_ = 0;
    }
    kept_ += work;
    return compiled_.emplace(*text, std::move(made)).first->second;
}

Evaluated Patterns::match(const Value& left, const Value& pattern)
{
    const auto compiled = compile(pattern);
    if (!compiled->problem.empty())
        return failed(compiled->problem);
    const auto text = to_text(left);
    work_ += text.size() * work_of(*compiled->regex) / 1024;
    return {Value(RE2::PartialMatch(text, *compiled->regex)), {}};
}

std::string Patterns::problem_of(const Value& pattern) { return compile(pattern)->problem; }

} // namespace gantry::pipeline
