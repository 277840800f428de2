#include "app/view/time_account.hpp"

#include <algorithm>
#include <array>

namespace gantry::app {

void TimeAccount::add(const runner::RunEvent& event)
{
    using Event = runner::RunEvent::Kind;
    // A pull may have begun before anything was said.
    const auto begun = event.kind == Event::image_ready ? event.time - std::chrono::duration_cast<Time::duration>(event.duration) : event.time;
    if (first_ == Time() || begun < first_)
        first_ = begun;
    last_ = std::max(last_, event.time);
    if (event.kind == Event::step_finished || event.kind == Event::step_retry)
        add_step(event);
    if (event.kind == Event::image_ready)
        add_span(Kind::pull, begun, event.time);
}

void TimeAccount::add_span(Kind kind, Time begin, Time end)
{
    if (end > begin)
        spans_.push_back({kind, begin, end});
}

// Its parts follow each other and end with the event.
void TimeAccount::add_step(const runner::RunEvent& event)
{
    const auto& timings = event.timings;
    auto end = event.time;
    const auto back = [&end](std::chrono::nanoseconds duration) {
        return end - std::chrono::duration_cast<Time::duration>(duration);
    };
    end = back(timings.finish);
    const auto command = back(timings.command);
    add_span(Kind::command, command, end);
    end = command;
    const auto start = back(timings.start);
    add_span(Kind::start, start, end);
    end = start;
    add_span(Kind::pull, back(timings.pull), end);
    if (timings.command > longest_.command)
        longest_ = {event.stage, event.step, timings.command};
}

// A sweep over all begins and ends, counting what is open of each kind.
TimeAccount::Parts TimeAccount::parts() const
{
    struct Edge {
        Time time;
        Kind kind;
        int change;
    };
    std::vector<Edge> edges;
    edges.reserve(2 * spans_.size());
    for (const auto& span : spans_) {
        edges.push_back({std::max(span.begin, first_), span.kind, 1});
        edges.push_back({std::min(span.end, last_), span.kind, -1});
    }
    std::stable_sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.time < b.time; });

    Parts parts;
    parts.whole = last_ - first_;
    std::array<int, 3> open{};
    auto at = first_;
    for (const auto& edge : edges) {
        const std::chrono::nanoseconds passed = edge.time - at;
        if (open[static_cast<int>(Kind::command)] > 0)
            parts.commands += passed;
        else if (open[static_cast<int>(Kind::start)] > 0)
            parts.start += passed;
        else if (open[static_cast<int>(Kind::pull)] > 0)
            parts.pull += passed;
        open[static_cast<int>(edge.kind)] += edge.change;
        at = edge.time;
    }
    parts.rest = parts.whole - parts.pull - parts.start - parts.commands;
    return parts;
}

} // namespace gantry::app
