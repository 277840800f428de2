#include "pipeline/event.hpp"

namespace gantry::pipeline {

std::string_view to_string(Event::Kind kind)
{
    switch (kind) {
    case Event::Kind::push: return "push";
    case Event::Kind::pull_request: return "pull_request";
    case Event::Kind::tag: return "tag";
    case Event::Kind::schedule: return "schedule";
    case Event::Kind::manual: return "manual";
    }
    return "manual";
}

std::optional<Event::Kind> parse_event_kind(std::string_view text)
{
    for (const auto kind : {Event::Kind::push, Event::Kind::pull_request, Event::Kind::tag, Event::Kind::schedule,
                            Event::Kind::manual})
        if (text == to_string(kind))
            return kind;
    return std::nullopt;
}

std::string short_sha(const Event& event)
{
    return event.sha.substr(0, 8);
}

} // namespace gantry::pipeline
