#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/interrupt.hpp"
#include "app/view/frame.hpp"
#include "app/view/output.hpp"
#include "app/view/style.hpp"
#include "app/view/top_table.hpp"
#include "app/view/views.hpp"
#include "base/clock.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"
#include "runner/lower.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <unistd.h>

namespace gantry::app {

namespace {

constexpr auto k_refresh = std::chrono::seconds(1);
// Two words of each container, the first of which may take a second.
constexpr auto k_once_limit = std::chrono::seconds(4);

struct TopFlags {
    std::string run;
    bool once = false, json = false;
};

// The containers of what runs, each watched from when it is first seen to its end.
class Watched {
public:
    Watched(Context& context, asio::any_io_executor executor)
        : context_(context), tasks_(executor), told_(std::make_shared<Signal>(executor))
    {
    }

    std::vector<TopRow> rows(const std::vector<RunningStep>& steps)
    {
        std::vector<TopRow> rows;
        std::map<std::string, std::shared_ptr<UseTrack>> still;
        for (const auto& step : steps) {
            const runner::Owner owner{context_.store().instance(), step.run, step.key.stage, step.key.step, step.key.attempt};
            const auto container = runner::object_name(owner);
            auto& track = still[container];
            const auto known = tracks_.find(container);
            track = known == tracks_.end() ? begin(container) : known->second;
            rows.push_back({step, *track});
        }
        tracks_ = std::move(still);
        return rows;
    }
    // Until none of these has more to tell.
    awaitable<void> all_known() const
    {
        co_await told_->wait_until([this] {
            return std::none_of(tracks_.begin(), tracks_.end(), [](const auto& one) { return one.second->is_waiting(); });
        });
    }
    awaitable<void> close() { return tasks_.close(); }

private:
    // A step without a container, such as a build, has nothing to tell.
    std::shared_ptr<UseTrack> begin(const std::string& container)
    {
        auto track = std::make_shared<UseTrack>();
        const std::function<void(const engine::ResourceUse&)> note = [track, told = told_](const engine::ResourceUse& use) {
            track->add(use, system_clock().now());
            told->notify_all();
        };
        std::function<awaitable<void>()> watch = [&engine = context_.engine(), container, note, track, told = told_]() -> awaitable<void> {
            try {
                co_await engine.watch_use(container, note);
            } catch (const Error&) {
                // It is gone, or the engine is; the next look at the journals tells which.
            }
            track->end();
            told->notify_all();
        };
        tasks_.spawn(std::move(watch));
        return track;
    }

    Context& context_;
    TaskGroup tasks_;
    std::shared_ptr<Signal> told_; // something about one of them
    std::map<std::string, std::shared_ptr<UseTrack>> tracks_;
};

class Top {
public:
    Top(Context& context, TopFlags flags) : context_(context), flags_(std::move(flags))
    {
        if (!flags_.run.empty())
            flags_.run = context_.store().resolve_id(flags_.run);
        const auto view = detect_view(flags_.json, false, false);
        live_ = view.live && !flags_.once;
        style_ = Style{view.colours, view.unicode};
    }

    int run()
    {
        // Who asks for one look wants to know that there is nothing, and then that the engine does not answer.
        if (!live_ && steps().empty())
            return nothing_runs();
        context_.run([this] { return body(); });
        return k_exit_ok;
    }

private:
    awaitable<void> body()
    {
        co_await context_.engine().probe();
        Watched watched(context_, co_await asio::this_coro::executor);
        std::exception_ptr failure;
        try {
            // Chosen first: this compiler destroys the awaited one of two alternatives twice.
            auto shown = live_ ? refresh(watched) : once(watched);
            co_await until_interrupted(std::move(shown));
        } catch (...) {
            failure = std::current_exception();
        }
        co_await ignore_cancellation();
        co_await watched.close();
        if (failure)
            std::rethrow_exception(failure);
    }

    awaitable<void> refresh(Watched& watched)
    {
        const auto out = make_fd_output(STDOUT_FILENO);
        Frame frame;
        while (!out->closed() && (flags_.run.empty() || context_.store().is_alive(flags_.run))) {
            const auto size = terminal_size();
            const auto rows = watched.rows(steps());
            const auto lines = rows.empty() ? std::vector<std::string>{fit("nothing runs; Ctrl-C ends this", size.columns)}
                                            : lines_of(rows, size);
            out->write(frame.next({}, lines, size.columns));
            co_await system_clock().sleep_for(k_refresh);
        }
        if (!flags_.run.empty())
            context_.err("run " + flags_.run + " has ended: gantry show " + flags_.run + "\n");
    }

    std::vector<std::string> lines_of(const std::vector<TopRow>& rows, TerminalSize size) const
    {
        auto lines = split(trim(top_table(rows, system_clock().wall())), '\n');
        const auto room = static_cast<std::size_t>(std::max(size.rows - 1, 2));
        const auto hidden = lines.size() > room ? lines.size() - room + 1 : 0;
        lines.resize(lines.size() - hidden);
        if (hidden > 0)
            lines.push_back("… " + std::to_string(hidden) + " more: gantry top --once");
        for (auto& line : lines)
            line = style_.shown(fit(line, size.columns));
        lines.front() = style_.dim(lines.front());
        return lines;
    }

    // A percentage needs two words.
    awaitable<void> once(Watched& watched)
    {
        const auto running = steps();
        watched.rows(running);
        auto known = watched.all_known();
        auto limit = system_clock().sleep_for(k_once_limit);
        co_await first_of(std::move(known), std::move(limit));
        const auto rows = watched.rows(running);
        const auto now = system_clock().wall();
        context_.out(flags_.json ? top_json(rows, now) : top_table(rows, now));
    }

    std::vector<RunningStep> steps()
    {
        auto& store = context_.store();
        std::vector<RunningStep> all;
        for (const auto& id : flags_.run.empty() ? store.run_ids() : std::vector<std::string>{flags_.run}) {
            try {
                if (!store.is_alive(id))
                    continue;
                const auto some = running_steps(id, store.events(id));
                all.insert(all.end(), some.begin(), some.end());
            } catch (const Error& error) {
                if (error.code() != Errc::not_found) // removed just now
                    throw;
            }
        }
        return all;
    }

    int nothing_runs()
    {
        if (flags_.json)
            context_.out("[]\n");
        else if (flags_.run.empty() || context_.store().is_alive(flags_.run))
            context_.err("gantry: nothing runs; what has run: gantry ps --all\n");
        else
            context_.err("gantry: run " + flags_.run + " has ended: gantry show " + flags_.run + "\n");
        return k_exit_ok;
    }

    Context& context_;
    TopFlags flags_;
    Style style_;
    bool live_ = false;
};

} // namespace

void add_top(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("top", "Show the CPU, memory, disk and network of running steps");
    const auto flags = std::make_shared<TopFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest; ends with it (default: all that run)")->type_name("");
    command->add_flag("--once", flags->once, "One table, not redrawn; as where the output is no terminal");
    command->add_flag("--json", flags->json, "One look, as a JSON array");
    command->footer("Once a second, until Ctrl-C. CPU is in percent of one processor.\n"
                    "A dash: nothing, or not told yet.\n\n"
                    "Examples:\n"
                    "  gantry top\n"
                    "  gantry top --json | jq '.[] | {step, memory: .use.memory_bytes}'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return Top(inner, *flags).run(); };
    });
}

} // namespace gantry::app
