#include "runner/use_watch.hpp"

#include <algorithm>
#include <functional>

namespace gantry::runner {

namespace {

constexpr auto k_until_asked = std::chrono::milliseconds(300);

std::uint64_t beyond(std::uint64_t count, std::uint64_t base)
{
    return count - std::min(count, base);
}

// The numbers of one container in a network that may have been used before.
engine::ResourceUse own_part(engine::ResourceUse use, const UseWatch::Network& network, const SharedTraffic& before)
{
    if (network.own)
        return use;
    if (network.shared)
        *network.shared = {use.received_bytes, use.sent_bytes};
    use.received_bytes = network.shared ? beyond(use.received_bytes, before.received_bytes) : 0;
    use.sent_bytes = network.shared ? beyond(use.sent_bytes, before.sent_bytes) : 0;
    return use;
}

} // namespace

// Outlives the watch while its task unwinds.
struct UseWatch::State {
    explicit State(asio::any_io_executor executor) : stop(std::move(executor)) {}

    Signal stop;
    bool stopped = false;
    std::optional<engine::ResourceUse> last;
};

UseWatch::UseWatch(engine::Engine& engine, Clock& clock, TaskGroup& tasks)
    : engine_(engine), clock_(clock), tasks_(tasks), state_(std::make_shared<State>(tasks.executor()))
{
}

UseWatch::~UseWatch()
{
    stop();
}

void UseWatch::start(const std::string& container, const Network& network)
{
    using Note = std::function<void(const engine::ResourceUse&)>;
    const auto before = network.shared ? *network.shared : SharedTraffic();
    const Note note = [state = state_, network, before](const engine::ResourceUse& use) {
        if (!state->stopped)
            state->last = own_part(use, network, before);
    };
    const auto watch = [](engine::Engine& engine, Clock& clock, std::string name, Note on_use) -> awaitable<void> {
        co_await clock.sleep_for(k_until_asked);
        co_await engine.watch_use(name, on_use);
    };
    std::function<awaitable<void>()> task = [&engine = engine_, &clock = clock_, container, note, state = state_,
                                             watch]() -> awaitable<void> {
        try {
            auto watching = watch(engine, clock, container, note);
            auto end = state->stop.wait_until([state] { return state->stopped; });
            co_await first_of(std::move(watching), std::move(end));
        } catch (const std::exception&) {
            // What could not be seen is not told; that the engine is gone, others see.
        }
    };
    tasks_.spawn(std::move(task));
}

void UseWatch::stop()
{
    state_->stopped = true;
    state_->stop.notify_all();
}

const std::optional<engine::ResourceUse>& UseWatch::last() const
{
    return state_->last;
}

} // namespace gantry::runner
