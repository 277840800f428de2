#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <utility>

namespace gantry::runner {

// An engine finishes what it was asked for also when the asker has died: what was announced may still come for so long.
constexpr auto k_engine_may_finish = std::chrono::seconds(60);

// What a run has at its engine. An object is on the books before it is created and until it is known to be gone, so that a
// lost answer leaves nothing behind.
class Objects {
public:
    using Tell = std::function<void(engine::ObjectKind, const std::string& name)>;
    // `intend` and `removed` go to the journal; everything of the run carries the labels `of_run`.
    Objects(engine::Engine& engine, engine::Labels of_run, Tell intend, Tell removed);

    // Say it before creating.
    void intend(engine::ObjectKind kind, const std::string& name);
    // Removes one. Errors come out; the object stays on the books.
    awaitable<void> remove(engine::ObjectKind kind, std::string name);
    // A build was broken off. Its builder's containers have names that only the engine knows, and it removes them itself, some time
    // later: remove_all() does not leave them to it.
    void note_broken_build() { broken_build_ = true; }
    // Removes all that are left, containers first, each kind side by side; tries again up to `limit`, and goes on to the next kind
    // all the same. Throws the first error if something is still there.
    awaitable<void> remove_all(Clock& clock, std::chrono::nanoseconds limit);
    // Forgets one that is to stay (`--keep-failed`).
    void release(engine::ObjectKind kind, const std::string& name);

    const std::set<std::pair<engine::ObjectKind, std::string>>& left() const { return left_; }

private:
    awaitable<void> remove_containers_of_builder();

    engine::Engine& engine_;
    engine::Labels of_run_;
    Tell intend_, removed_;
    bool broken_build_ = false;
    std::set<std::pair<engine::ObjectKind, std::string>> left_;
};

} // namespace gantry::runner
