#pragma once

#include "base/async.hpp"
#include "base/log.hpp"
#include "cache/artifact_store.hpp"
#include "cache/store.hpp"
#include "engine/engine.hpp"
#include "runner/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::app {

// Options that every command takes.
struct GlobalOptions {
    std::string engine = "docker"; // a row of the table of engines
    std::string engine_host;
    std::string log_level = "error";
};

// What a command gets: the loop, the store, the engine, each made when it is first asked for.
class Context {
public:
    Context();
    ~Context();
    Context(const Context&) = delete;

    GlobalOptions options;
    // Set by the parser to what the chosen command does; its result is the exit code.
    std::function<int(Context&)> action;

    asio::io_context& loop() { return loop_; }
    asio::thread_pool& pool();
    runner::Store& store();
    // Damage of records goes to standard error. Throws bad_input for limits in the environment that are none.
    cache::Store& caches();
    cache::ArtifactStore& artifacts();
    Log log();
    // By options.engine. Throws bad_input for a name that is not in the table.
    engine::Engine& engine();

    // Runs a coroutine on the loop to its end; what it throws comes out.
    void run(std::function<awaitable<void>()> body);

    // Standard output and error, whole writes; a closed pipe is no error. What standard output does not take is thrown.
    void out(std::string_view text);
    void err(std::string_view text);

private:
    asio::io_context loop_{1};
    std::unique_ptr<asio::thread_pool> pool_;
    std::unique_ptr<runner::Store> store_;
    std::unique_ptr<cache::Store> caches_;
    std::unique_ptr<cache::ArtifactStore> artifacts_;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<Log> log_;
};

} // namespace gantry::app
