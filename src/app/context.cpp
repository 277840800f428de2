#include "app/context.hpp"

#include "app/registry.hpp"
#include "app/view/output.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"

#include <unistd.h>

#include <utility>

namespace gantry::app {

namespace {

// Threads for work on the disk: enough to keep one busy while another waits.
constexpr int k_pool_threads = 4;

// Where folders of ours cannot be had, the user can give us others. A full disk has another remedy.
template <typename Open>
auto opened(const std::string& folder, const char* variable, Open open)
{
    try {
        return open(folder);
    } catch (Error& error) {
        if (error.code() == Errc::no_space || error.code() == Errc::internal || !error.hint().empty())
            throw;
        error.add_context("cannot use the folder " + folder);
        throw std::move(error).with_hint(hint_for_folder(folder, variable));
    }
}

} // namespace

Context::Context() = default;

Context::~Context()
{
    if (pool_)
        pool_->join();
}

asio::thread_pool& Context::pool()
{
    if (!pool_)
        pool_ = std::make_unique<asio::thread_pool>(k_pool_threads);
    return *pool_;
}

runner::Store& Context::store()
{
    if (!store_)
        store_ = opened(state_dir(), "XDG_STATE_HOME", runner::open_store);
    return *store_;
}

cache::Store& Context::caches()
{
    if (!caches_) {
        caches_ = std::make_unique<cache::Store>(cache_dir() + "/caches", cache::limits_from_environment());
        caches_->tell_damage_to([this](const std::string& what) { err("gantry: " + terminal_safe(what) + "\n"); });
    }
    return *caches_;
}

cache::ArtifactStore& Context::artifacts()
{
    if (!artifacts_)
        artifacts_ = std::make_unique<cache::ArtifactStore>(state_dir() + "/artifacts");
    return *artifacts_;
}

Log Context::log()
{
    if (!log_) {
        const auto level = find_log_level(options.log_level);
        if (!level)
            throw Error(Errc::bad_input, "--log-level " + options.log_level + ": there is no such level",
                        "one of error, warn, info, debug, trace");
        log_ = std::make_unique<Log>(make_fd_log(*level, STDERR_FILENO));
    }
    return *log_;
}

engine::Engine& Context::engine()
{
    if (!engine_)
        engine_ = engine_row(options.engine).make(*this);
    return *engine_;
}

void Context::run(std::function<awaitable<void>()> body)
{
    std::exception_ptr failure;
    asio::co_spawn(loop_, body(), [&failure](std::exception_ptr ended) { failure = ended; });
    loop_.restart();
    loop_.run();
    if (failure)
        std::rethrow_exception(failure);
}

void Context::out(std::string_view text)
{
    const auto output = make_fd_output(STDOUT_FILENO);
    output->write(text);
    if (auto failure = output->failure())
        throw std::move(*failure);
}

void Context::err(std::string_view text)
{
    make_fd_output(STDERR_FILENO)->write(text);
}

} // namespace gantry::app
