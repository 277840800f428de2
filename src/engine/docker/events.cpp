#include "base/clock.hpp"
#include "base/format.hpp"
#include "engine/docker/answers.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::engine::docker {

namespace {

// One connection of GET /events, and from where the next one goes on.
class EventStream {
public:
    EventStream(Api& api, const Labels& labels) : api_(api)
    {
        Json filter = label_filter(labels);
        filter["type"] = Json::array({"container"});
        filter["event"] = Json::array({"start", "die", "oom", "health_status", "destroy"});
        if (api.negotiated().podman)
            filter["event"] = Json::array({"start", "died", "oom", "health_status", "remove"});
        filters_ = encode_query(dump(filter));
    }

    awaitable<void> open()
    {
        // The header can come before the daemon listens to itself: it sends again what happened since just before.
        if (last_nanoseconds_ == 0)
            last_nanoseconds_ = co_await now_at_engine();
        Request request("GET", fmt::format("/events?since={}.{:09}&filters={}", last_nanoseconds_ / 1'000'000'000,
                                           last_nanoseconds_ % 1'000'000'000, filters_));
        exchange_ = co_await api_.open(std::move(request), k_limit);
        lines_ = JsonLines();
    }

    // Until the connection ends, which it does by throwing or by returning.
    awaitable<void> read(const std::function<void(const EngineEvent&)>& on_event)
    {
        for (;;) {
            const std::string piece = co_await exchange_->read();
            if (piece.empty())
                co_return;
            lines_.feed(piece);
            while (const auto message = lines_.next()) {
                last_nanoseconds_ = std::max(last_nanoseconds_, number_field(*message, "timeNano") + 1);
                if (const auto event = engine_event(*message))
                    on_event(*event);
            }
        }
    }

private:
    // Our own clock for a daemon on this machine; otherwise what the daemon itself says.
    awaitable<std::int64_t> now_at_engine()
    {
        if (!api_.connector().local()) {
            const Request request("GET", "/info");
            const auto info = co_await api_.json(request, k_limit);
            if (const auto time = parse_time(text_field(info, "SystemTime")))
                co_return std::chrono::nanoseconds(time->time_since_epoch()).count();
        }
        co_return std::chrono::nanoseconds(system_clock().wall().time_since_epoch()).count();
    }

    Api& api_;
    std::string filters_;
    std::unique_ptr<Exchange> exchange_;
    JsonLines lines_;
    std::int64_t last_nanoseconds_ = 0;
};

EngineEvent connection_event(EngineEvent::Kind kind)
{
    EngineEvent event;
    event.kind = kind;
    event.time = system_clock().wall();
    return event;
}

// dockerd's filter takes a name for the beginning of one.
awaitable<void> until_event_of(Api& api, Request request, std::string container)
{
    const auto exchange = co_await api.open(std::move(request), k_limit);
    JsonLines lines;
    for (;;) {
        while (const auto message = lines.next())
            if (text_field(field(field(*message, "Actor"), "Attributes"), "name") == container)
                co_return;
        const std::string piece = co_await exchange->read();
        if (piece.empty())
            throw Error(Errc::unavailable, "the container engine went away");
        lines.feed(piece);
    }
}

Request event_question(const std::string& container, const char* event, std::chrono::system_clock::time_point since)
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since.time_since_epoch()).count();
    const Json filter{{"type", {"container"}}, {"event", {event}}, {"container", {container}}};
    return Request("GET", fmt::format("/events?since={}&filters={}", seconds, encode_query(dump(filter))));
}

struct Wait {
    std::chrono::nanoseconds patience;
    bool if_refused; // the answer where the daemon may not be asked
};

// False where the daemon says nothing of it, or is not there.
awaitable<bool> is_told(std::shared_ptr<Api> api, Request question, std::string container, Wait wait)
{
    try {
        co_await with_deadline(wait.patience, "events", until_event_of(*api, std::move(question), std::move(container)));
        co_return true;
    } catch (const Error& error) {
        const bool is_silent = error.code() == Errc::timed_out || error.code() == Errc::unavailable;
        co_return !is_silent && wait.if_refused;
    }
}

// From a kill for want of memory, of which containerd tells beside the exit, to its event; 0.1 s was seen under load.
constexpr Wait k_oom_wait{1s, false};
// A daemon that takes connections tells at once of what has just happened. One that systemd starts again answers when it is there.
constexpr Wait k_end_wait{5s, true};

} // namespace

// dockerd writes into a container's state what it knew of when the process ended. What it hears afterwards is in its events
// alone, and it keeps the last of them.
awaitable<bool> DockerEngine::oom_is_told(const std::string& container, std::chrono::system_clock::time_point started)
{
    auto question = event_question(container, "oom", started);
    co_return co_await is_told(api_, std::move(question), container, k_oom_wait);
}

// A daemon that stops has closed the place where it listens before it stops its containers; the one that comes after it knows
// nothing of them.
//
// Silence alone says so: a daemon that may not be asked for events is there.
awaitable<bool> DockerEngine::end_is_told(const std::string& container)
{
    auto question = event_question(container, "die", {}); // whenever: its clock may have been set back
    question.fresh = true;
    co_return co_await is_told(api_, std::move(question), container, k_end_wait);
}

awaitable<void> DockerEngine::watch(const Labels& labels, std::function<void()> ready,
                                    std::function<void(const EngineEvent&)> on_event)
{
    co_await api_->connect();
    const auto api = api_;
    EventStream stream(*api, labels);
    co_await stream.open();
    ready();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        try {
            co_await stream.read(on_event);
        } catch (const Error& error) {
            if (error.code() != Errc::unavailable && error.code() != Errc::timed_out)
                throw;
        }
        on_event(connection_event(EngineEvent::Kind::lost));
        for (std::chrono::nanoseconds pause = 20ms;; pause = std::min<std::chrono::nanoseconds>(pause * 2, 1s)) {
            try {
                co_await stream.open();
                break;
            } catch (const Error& error) {
                if (error.code() != Errc::unavailable && error.code() != Errc::timed_out)
                    throw;
            }
            timer.expires_after(pause);
            co_await timer.async_wait(use_awaitable);
        }
        on_event(connection_event(EngineEvent::Kind::restored));
    }
}

} // namespace gantry::engine::docker
