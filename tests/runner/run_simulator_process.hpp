#pragma once

#include "engine/fake/fake.hpp"
#include "runner/run.hpp"
#include "runner/workspaces.hpp"
#include "support/mortal_executor.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

// The journal's disk is full after some events, or a log's for some bytes.
class FillingWriter final : public runner::RunWriter {
public:
    FillingWriter(std::unique_ptr<runner::RunWriter> disk, int room, std::string unwritable = {})
        : disk_(std::move(disk)), room_(room), unwritable_(std::move(unwritable))
    {
    }

    const std::string& id() const override { return disk_->id(); }
    int number() const override { return disk_->number(); }
    std::string folder() const override { return disk_->folder(); }
    void note_leftovers() override { disk_->note_leftovers(); }
    std::unique_ptr<Log> open_log(const runner::StepKey& step) override
    {
        auto log = disk_->open_log(step);
        if (unwritable_.empty())
            return log;
        return std::make_unique<FillingLog>(std::move(log), unwritable_);
    }
    void append(const runner::RunEvent& event) override
    {
        if (room_ >= 0 && room_-- == 0)
            throw Error(Errc::no_space, "injected: the disk is full");
        disk_->append(event);
    }

private:
    struct FillingLog final : Log {
        FillingLog(std::unique_ptr<Log> disk_in, std::string unwritable_in) : disk(std::move(disk_in)), unwritable(std::move(unwritable_in)) {}
        void write(engine::Stream stream, std::string_view bytes, std::chrono::system_clock::time_point time) override
        {
            if (bytes == unwritable)
                throw Error(Errc::no_space, "injected: the disk is full");
            disk->write(stream, bytes, time);
        }
        std::uint64_t size_bytes() const override { return disk->size_bytes(); }
        std::unique_ptr<Log> disk;
        std::string unwritable;
    };

    std::unique_ptr<runner::RunWriter> disk_;
    int room_;               // < 0: enough
    std::string unwritable_; // no log takes it; empty: each takes all
};

// One `gantry run` or `gantry resume` and what it told.
class Process final : public runner::RunObserver {
public:
    Process(asio::io_context& loop, const pipeline::Plan& plan, engine::Engine& engine, Clock& clock,
            std::unique_ptr<runner::RunWriter> writer, runner::RunOptions options, int room)
        : executor_(loop), plan_(plan), instance_(options.instance), first_attempts_(options.attempts)
    {
        if (!writer)
            return;
        writer_ = std::make_unique<FillingWriter>(std::move(writer), room);
        id_ = writer_->id();
        workspaces_ = runner::make_empty_workspaces(engine);
        runner::RunDeps deps{engine, clock, nullptr, *writer_, *workspaces_, {}, {this}};
        run_ = std::make_unique<runner::Run>(plan, std::move(deps), std::move(options));
    }

    void on_event(const runner::RunEvent& event) override
    {
        events.push_back(event);
        if (event.kind == runner::RunEvent::Kind::intent)
            intended.insert(event.object);
    }

    void on_output(const runner::StepKey&, engine::Stream, std::string_view bytes) override { printed += bytes.size(); }

    template <typename T> void spawn(awaitable<T> task)
    {
        asio::co_spawn(asio::any_io_executor(executor_), std::move(task), [this](std::exception_ptr error, T value) {
            ended_ = true;
            failure = error;
            if constexpr (std::is_same_v<T, runner::RunResult>)
                if (!error)
                    result = value;
            if constexpr (std::is_same_v<T, runner::Leftovers>)
                if (!error)
                    failure = value.in_use;
        });
    }

    void cancel(bool is_hard, Clock::time_point now)
    {
        hard = hard || is_hard || cancelled_at;
        if (!cancelled_at)
            cancelled_at = now;
        run_->cancel("test", is_hard);
    }

    // Its files are closed, as when a process is gone.
    void die()
    {
        executor_.die();
        writer_.reset();
    }

    runner::Run& run() { return *run_; }
    bool has_ended() const { return ended_; }

    std::string volume_of(const std::string& stage) const
    {
        return runner::object_name({instance_, id_, stage, "", 0}, "ws");
    }
    runner::StepIndex index_of(const std::string& stage, const std::string& step) const
    {
        for (std::size_t i = 0; i < plan_.stages.size(); ++i)
            for (std::size_t k = 0; k < plan_.stages[i].steps.size(); ++k)
                if (plan_.stages[i].id == stage && plan_.stages[i].steps[k].id == step)
                    return {static_cast<int>(i), static_cast<int>(k)};
        throw std::runtime_error("the plan has no step " + stage + "/" + step);
    }
    // How many attempts of it this process has made, with this one.
    int tries(const std::string& stage, const std::string& step, int attempt) const
    {
        const auto former = first_attempts_.find(stage);
        if (former == first_attempts_.end())
            return attempt;
        const auto last = former->second.find(step);
        return last == former->second.end() ? attempt : attempt - last->second;
    }

    std::vector<runner::RunEvent> events;
    std::set<std::string> intended;
    std::size_t printed = 0; // bytes, by steps
    std::optional<Clock::time_point> cancelled_at;
    bool hard = false;
    std::optional<runner::RunResult> result;
    std::exception_ptr failure;

private:
    MortalExecutor executor_;
    const pipeline::Plan& plan_;
    std::string id_, instance_;
    std::map<std::string, std::map<std::string, int>> first_attempts_;
    std::unique_ptr<FillingWriter> writer_;
    std::unique_ptr<runner::WorkspaceProvider> workspaces_;
    std::unique_ptr<runner::Run> run_;
    bool ended_ = false;
};

} // namespace gantry::test
