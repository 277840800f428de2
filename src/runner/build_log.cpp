#include "runner/build_log.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_longest_instruction = 200;

std::string shortened(const std::string& instruction)
{
    auto text = terminal_safe(instruction);
    if (text.size() <= k_longest_instruction)
        return text;
    return std::string(first_bytes(text, k_longest_instruction)) + "…";
}

} // namespace

BuildLog::BuildLog(std::string dockerfile, std::vector<int> lines, int added)
    : dockerfile_(std::move(dockerfile)), lines_(std::move(lines)), added_(added)
{
}

std::string BuildLog::on(const engine::BuildEvent& event, Clock::time_point now)
{
    using Kind = engine::BuildEvent::Kind;
    if (event.kind == Kind::output) {
        in_line_ = !event.text.ends_with('\n');
        return {};
    }
    if (event.kind == Kind::cached) {
        open_ = false;
        return counter_ + " cached\n";
    }
    auto text = close_step(now);
    counter_ = fmt::format("[{}/{}]", event.step, event.steps);
    steps_ = event.steps;
    instructions_.push_back(shortened(event.text));
    began_ = now;
    open_ = true;
    return text + fmt::format("{} {}{}\n", counter_, is_added(event.step) ? "" : place_of(event.step) + " ", instructions_.back());
}

std::string BuildLog::end(Clock::time_point now)
{
    return close_step(now);
}

std::string BuildLog::close_step(Clock::time_point now)
{
    std::string text = std::exchange(in_line_, false) ? "\n" : "";
    if (std::exchange(open_, false))
        text += fmt::format("{} {}\n", counter_, format_duration(now - began_));
    return text;
}

bool BuildLog::is_added(int step) const
{
    const auto index = static_cast<std::size_t>(step) - 1;
    return step > steps_ - added_ && index < instructions_.size() && instructions_[index].starts_with("LABEL ");
}

std::string BuildLog::place_of(int step) const
{
    const auto index = static_cast<std::size_t>(step) - 1;
    return index < lines_.size() && !is_added(step) ? fmt::format("{}:{}", dockerfile_, lines_[index]) : dockerfile_;
}

std::string BuildLog::place(int step) const
{
    const auto index = static_cast<std::size_t>(step) - 1;
    if (step < 1)
        return dockerfile_;
    return index < instructions_.size() ? place_of(step) + ": " + instructions_[index] : place_of(step);
}

std::string BuildLog::last_place() const
{
    const auto step = static_cast<int>(instructions_.size());
    return step == 0 || is_added(step) ? std::string() : place(step);
}

} // namespace gantry::runner
