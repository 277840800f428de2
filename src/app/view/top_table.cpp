#include "app/view/top_table.hpp"

#include "base/columns.hpp"
#include "base/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace gantry::app {

namespace {

using Json = nlohmann::ordered_json;
using Kind = runner::RunEvent::Kind;

std::string pair_of(std::uint64_t first, std::uint64_t second)
{
    return first + second == 0 ? "-" : format_size(first) + " / " + format_size(second);
}

std::vector<std::string> cells_of(const TopRow& row, std::chrono::system_clock::time_point now)
{
    const auto name = row.step.key.stage + "/" + row.step.key.step;
    std::vector<std::string> cells{row.step.run, terminal_safe(name), "-", "-", "-", "-", format_duration(now - row.step.since)};
    if (const auto percent = row.use.cpu_percent())
        cells[2] = fmt::format("{:.0f}%", *percent);
    if (const auto& use = row.use.last()) {
        cells[3] = pair_of(use->memory_bytes, use->memory_limit_bytes);
        cells[4] = pair_of(use->read_bytes, use->written_bytes);
        cells[5] = pair_of(use->received_bytes, use->sent_bytes);
    }
    return cells;
}

} // namespace

std::vector<RunningStep> running_steps(const std::string& run, const std::vector<runner::RunEvent>& events)
{
    std::vector<RunningStep> steps;
    const auto end = [&steps](const runner::RunEvent& event) {
        std::erase_if(steps, [&](const RunningStep& step) { return step.key.stage == event.stage && step.key.step == event.step; });
    };
    for (const auto& event : events)
        switch (event.kind) {
        case Kind::step_started:
        case Kind::service_started:
            end(event);
            steps.push_back({run, {event.stage, event.step, event.attempt}, event.time});
            break;
        case Kind::step_finished:
        case Kind::step_retry:
        case Kind::service_finished: end(event); break;
        case Kind::run_finished:
        case Kind::resumed: steps.clear(); break;
        default: break;
        }
    return steps;
}

void UseTrack::add(const engine::ResourceUse& use, Time now)
{
    if (last_ && now > at_ && use.cpu >= last_->cpu)
        cpu_percent_ = 100.0 * std::chrono::duration<double>(use.cpu - last_->cpu) / std::chrono::duration<double>(now - at_);
    last_ = use;
    at_ = now;
}

std::string top_table(const std::vector<TopRow>& rows, std::chrono::system_clock::time_point now)
{
    std::vector<std::vector<std::string>> cells{{"RUN", "STEP", "CPU", "MEMORY / LIMIT", "DISK R / W", "NETWORK I / O", "TIME"}};
    for (const auto& row : rows)
        cells.push_back(cells_of(row, now));
    return aligned(cells);
}

std::string top_json(const std::vector<TopRow>& rows, std::chrono::system_clock::time_point now)
{
    auto json = Json::array();
    for (const auto& row : rows) {
        Json one = {{"run", row.step.run}, {"stage", row.step.key.stage}, {"step", row.step.key.step}, {"attempt", row.step.key.attempt}};
        one["duration_ns"] = std::chrono::nanoseconds(now - row.step.since).count();
        if (const auto percent = row.use.cpu_percent())
            one["cpu_percent"] = std::round(*percent * 10) / 10;
        if (const auto& use = row.use.last())
            one["use"] = runner::to_json(*use);
        json.push_back(std::move(one));
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace gantry::app
