#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"

#include <functional>
#include <list>
#include <string>

namespace gantry::runner {

// What a run waits for at the moment, so that a person who sees nothing happen knows why.
class Waits {
public:
    // `tell` gets all of it as one text whenever that changes; empty: nothing any more.
    Waits(Clock& clock, std::function<void(std::string)> tell) : clock_(clock), tell_(std::move(tell)) {}

    // One thing, as long as this lives.
    class Notice {
    public:
        explicit Notice(Waits& waits) : waits_(waits) {}
        Notice(const Notice&) = delete;
        ~Notice() { set({}); }
        // Empty: it is not waited for.
        void set(std::string what);

    private:
        Waits& waits_;
        std::list<std::string>::iterator place_;
        bool told_ = false;
    };

    // Awaits `op`. What takes more than a second is told as `what`: "t: for service db to be ready".
    awaitable<void> during(std::string what, awaitable<void> op);

private:
    void tell();

    Clock& clock_;
    std::function<void(std::string)> tell_;
    std::list<std::string> told_;
};

} // namespace gantry::runner
