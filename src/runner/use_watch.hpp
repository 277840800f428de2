#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace gantry::runner {

// What has passed through a network that several containers have in turn. An engine tells each of them what all have had, so
// each is told what came since the last look at the one before.
struct SharedTraffic {
    std::uint64_t received_bytes = 0, sent_bytes = 0;
};

// Watches what one container uses while its process runs. The engine is asked only once it has run for a moment: of a process
// that ends at once the statistics would cost more than the process (docs/dev/performance.md).
//
// Nothing waits for it: an engine that does not answer, or that has no statistics, leaves last() empty and delays nobody.
class UseWatch {
public:
    UseWatch(engine::Engine& engine, Clock& clock, TaskGroup& tasks);
    ~UseWatch(); // stops
    UseWatch(const UseWatch&) = delete;

    // Whose network the container uses. What others send through it while it runs counts for nobody.
    struct Network {
        bool own = true;
        std::shared_ptr<SharedTraffic> shared; // of one that is not its own and that it has for itself while it runs
    };
    // Its process runs from now on. Once.
    void start(const std::string& container, const Network& network);
    // Its process has ended. May be called before start(), and twice.
    void stop();
    // The last word before stop(), up to a second older than that.
    const std::optional<engine::ResourceUse>& last() const;

private:
    struct State;
    engine::Engine& engine_;
    Clock& clock_;
    TaskGroup& tasks_;
    std::shared_ptr<State> state_;
};

} // namespace gantry::runner
