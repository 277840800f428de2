#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "runner/waits.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace gantry::runner {

// The images of one run: each is looked up or pulled once, however many steps ask; begun early, awaited where it is needed.
class Images {
public:
    struct Ready {
        engine::ImageInfo info;
        std::chrono::nanoseconds pull{0}; // 0: it was there
    };

    // `tasks` has the pulls: closing it gives up those that still go on.
    Images(engine::Engine& engine, Clock& clock, TaskGroup& tasks, Waits& waits,
           std::function<void(const engine::PullProgress&)> progress,
           std::function<void(const std::string& image, const Ready&)> ready);

    // Starts to fetch it, unless that has begun. Any number at a time; the engine's side is bounded by slots of 4.
    void begin(const std::string& image, const std::string& platform, engine::PullPolicy policy);
    // It has just been made: whoever asks from now on gets this one, whatever the platform and the policy that are asked for.
    void put(const std::string& image, engine::ImageInfo info);
    // The image, or the error that getting it ended with. Cancelling stops the waiting only.
    awaitable<Ready> get(const std::string& image, const std::string& platform, engine::PullPolicy policy);

private:
    struct Entry;
    awaitable<void> fetch(std::shared_ptr<Entry> entry);

    engine::Engine& engine_;
    Clock& clock_;
    TaskGroup& tasks_;
    Waits& waits_;
    std::function<void(const engine::PullProgress&)> progress_;
    std::function<void(const std::string&, const Ready&)> ready_;
    std::map<std::string, std::shared_ptr<Entry>> entries_;
    std::map<std::string, Ready> made_; // by full_name()
    std::shared_ptr<Signal> slot_freed_;
    int pulling_ = 0;
};

} // namespace gantry::runner
