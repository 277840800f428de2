#pragma once

#include "base/async.hpp"

#include <boost/asio/execution.hpp>

#include <memory>
#include <utility>

namespace gantry::test {

// An io_context as one process on it sees it. When the process has died, nothing of it runs any more: what becomes ready
// is dropped, as with a kill -9. Its coroutines may still wait for others: those forget them when they go.
class MortalExecutor {
public:
    explicit MortalExecutor(asio::io_context& loop) : loop_(&loop), alive_(std::make_shared<bool>(true)) {}

    void die() const { *alive_ = false; }

    template <typename Function> void execute(Function&& function) const
    {
        auto guarded = [alive = alive_, inner = std::forward<Function>(function)]() mutable {
            if (*alive)
                std::move(inner)();
        };
        if (may_block_)
            loop_->get_executor().execute(std::move(guarded));
        else
            asio::require(loop_->get_executor(), asio::execution::blocking.never).execute(std::move(guarded));
    }

    asio::execution_context& query(asio::execution::context_t) const noexcept { return *loop_; }
    asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept
    {
        return may_block_ ? asio::execution::blocking_t(asio::execution::blocking.possibly)
                          : asio::execution::blocking_t(asio::execution::blocking.never);
    }
    MortalExecutor require(asio::execution::blocking_t::never_t) const { return with(false); }
    MortalExecutor require(asio::execution::blocking_t::possibly_t) const { return with(true); }

    friend bool operator==(const MortalExecutor&, const MortalExecutor&) noexcept = default;

private:
    MortalExecutor with(bool may_block) const
    {
        auto other = *this;
        other.may_block_ = may_block;
        return other;
    }

    asio::io_context* loop_;
    std::shared_ptr<bool> alive_;
    bool may_block_ = true;
};

} // namespace gantry::test
