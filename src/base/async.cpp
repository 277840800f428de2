#include "base/async.hpp"

#include "base/format.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <list>
#include <vector>

namespace gantry {

bool is_cancellation(std::exception_ptr failure)
{
    if (!failure)
        return false;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.code() == Errc::cancelled;
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

awaitable<void> check_cancellation()
{
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

awaitable<void> shielded(awaitable<void> op)
{
    co_await shielded(co_await asio::this_coro::executor, std::move(op));
}

awaitable<void> shielded(asio::any_io_executor executor, awaitable<void> op)
{
    // `op` becomes a coroutine of its own whose cancellation slot is connected to nothing.
    co_await asio::co_spawn(std::move(executor), std::move(op),
                            asio::bind_cancellation_slot(asio::cancellation_slot(), use_awaitable));
}

awaitable<void> with_deadline(std::chrono::nanoseconds limit, std::string what, awaitable<void> op)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, std::chrono::duration_cast<asio::steady_timer::duration>(limit));

    // wait_for_one, not wait_for_one_success: the latter would swallow the exception of `op`.
    auto [order, failure, timer_error] =
        co_await asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(op), asio::deferred),
                                                         timer.async_wait(asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), use_awaitable);

    const bool expired = order[0] == 1 && !timer_error;
    if (expired && is_cancellation(failure))
        throw Error(Errc::timed_out, what + ": no answer within " + format_duration(limit));
    if (failure)
        std::rethrow_exception(failure);
}

awaitable<void> both(awaitable<void> first, awaitable<void> second)
{
    const auto executor = co_await asio::this_coro::executor;
    auto [order, first_failure, second_failure] =
        co_await asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(first), asio::deferred),
                                                         asio::co_spawn(executor, std::move(second), asio::deferred))
            .async_wait(asio::experimental::wait_for_one_error(), use_awaitable);

    const std::exception_ptr failures[] = {first_failure, second_failure};
    for (const auto index : order)
        if (failures[index])
            std::rethrow_exception(failures[index]);
}

awaitable<void> first_of(awaitable<void> first, awaitable<void> second)
{
    const auto executor = co_await asio::this_coro::executor;
    auto [order, first_failure, second_failure] =
        co_await asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(first), asio::deferred),
                                                         asio::co_spawn(executor, std::move(second), asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), use_awaitable);

    const std::exception_ptr failures[] = {first_failure, second_failure};
    if (failures[order[0]])
        std::rethrow_exception(failures[order[0]]);
}

Signal::Signal(asio::any_io_executor executor) : timer_(std::move(executor), asio::steady_timer::time_point::max()) {}

void Signal::notify_all()
{
    timer_.cancel();
}

awaitable<void> Signal::wait()
{
    // The timer ends with operation_aborted both on notify_all() and when we are cancelled: the latter is told apart
    // by the coroutine's own state.
    try {
        co_await timer_.async_wait(use_awaitable);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted)
            throw;
    }
    co_await check_cancellation();
}

struct TaskGroup::State {
    struct Task {
        std::function<awaitable<void>()> body;
        asio::cancellation_signal cancel;
    };

    explicit State(const asio::any_io_executor& loop) : executor(loop), ended(loop) {}

    asio::any_io_executor executor;
    Signal ended;
    std::list<Task> tasks;
    std::exception_ptr failure;
};

TaskGroup::TaskGroup(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup()
{
    // When the loop itself is torn down its coroutines are destroyed in any order; then nothing can still be awaited.
    const auto* loop = state_->executor.target<asio::io_context::executor_type>();
    if (loop && loop->running_in_this_thread())
        GANTRY_ASSERT(state_->tasks.empty());
}

namespace {

// A task that cancels its own group before it has ever waited ends as a cancelled one: co_spawn then awaits once more, which
// would throw past every handler.
awaitable<void> run_task(std::function<awaitable<void>()>& body)
{
    std::exception_ptr failure;
    try {
        co_await body();
    } catch (...) {
        failure = std::current_exception();
    }
    co_await ignore_cancellation();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

void TaskGroup::spawn(std::function<awaitable<void>()> body)
{
    auto& tasks = state_->tasks;
    auto task = tasks.emplace(tasks.end());
    task->body = std::move(body);
    asio::co_spawn(state_->executor, run_task(task->body),
                   asio::bind_cancellation_slot(task->cancel.slot(), [state = state_, task](std::exception_ptr failure) {
                       if (failure && !state->failure && !is_cancellation(failure))
                           state->failure = failure;
                       state->tasks.erase(task);
                       state->ended.notify_all();
                   }));
}

void TaskGroup::cancel()
{
    // Emitting can end a task at once and erase it: walk over the tasks that exist now.
    std::vector<asio::cancellation_signal*> signals;
    for (auto& task : state_->tasks)
        signals.push_back(&task.cancel);
    for (auto* signal : signals) {
        const bool alive = std::any_of(state_->tasks.begin(), state_->tasks.end(),
                                       [signal](const State::Task& task) { return &task.cancel == signal; });
        if (alive)
            signal->emit(asio::cancellation_type::terminal);
    }
}

awaitable<void> TaskGroup::wait_for_all(std::shared_ptr<State> state)
{
    while (!state->tasks.empty())
        co_await state->ended.wait();
}

awaitable<void> TaskGroup::join()
{
    const auto state = state_;
    std::exception_ptr cancelled;
    try {
        co_await wait_for_all(state);
    } catch (const boost::system::system_error&) {
        cancelled = std::current_exception();
    }
    if (cancelled) {
        co_await ignore_cancellation();
        co_await close();
        std::rethrow_exception(cancelled);
    }
    if (state->failure)
        std::rethrow_exception(std::exchange(state->failure, nullptr));
}

awaitable<void> TaskGroup::close()
{
    const auto state = state_;
    cancel();
    co_await shielded(wait_for_all(state));
    state->failure = nullptr;
}

std::size_t TaskGroup::running() const
{
    return state_->tasks.size();
}

asio::any_io_executor TaskGroup::executor() const
{
    return state_->executor;
}

} // namespace gantry
