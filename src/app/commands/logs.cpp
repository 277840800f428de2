#include "app/commands/commands.hpp"

#include "app/context.hpp"
#include "app/exit_code.hpp"
#include "app/log_printer.hpp"
#include "app/run_watch.hpp"
#include "app/step_name.hpp"
#include "app/view/view.hpp"
#include "base/format.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>
#include <optional>
#include <unistd.h>

namespace gantry::app {

using runner::RunSummary;
using runner::StepSummary;

namespace {

struct LogFlags {
    std::string run, step;
    bool follow = false, timestamps = false;
    int tail = -1; // lines; all when negative
    int attempt = 0;
};

const StepSummary* find(const RunSummary& summary, const runner::StepKey& key)
{
    for (const auto& stage : summary.stages)
        for (const auto* list : {&stage.steps, &stage.services})
            for (const auto& step : *list)
                if (stage.stage == key.stage && step.step == key.step)
                    return &step;
    return nullptr;
}

// Prints logs of one run: of one step, or of all behind prefixes.
class LogsCommand {
public:
    LogsCommand(Context& context, const LogFlags& flags)
        : store_(context.store()), flags_(flags), id_(store_.resolve_id(flags.run)), output_(make_fd_output(STDOUT_FILENO))
    {
        const auto view = detect_view(false, false, flags.timestamps);
        format_ = {"", flags.timestamps, view.safe, view.colours};
    }

    int run()
    {
        const auto summary = store_.summary(id_);
        if (!flags_.step.empty()) {
            wanted_ = find_log(summary, flags_.step);
            if (flags_.attempt > 0)
                wanted_->attempt = flags_.attempt;
        }
        if (!flags_.follow) {
            require_logs(summary);
            print(summary);
            finish_all();
        } else {
            follow();
        }
        if (auto failure = output_->failure())
            throw std::move(*failure);
        return k_exit_ok;
    }

private:
    // A log that is asked for by name and is not there is an error, unless it may still come.
    void require_logs(const RunSummary& summary)
    {
        if (!wanted_)
            return;
        const auto* step = find(summary, *wanted_);
        if (flags_.attempt == 0 && step->state == runner::State::skipped)
            throw Error(Errc::not_found, flags_.step + " of run " + id_ + " was skipped" +
                                             (step->message.empty() ? "" : ": " + step->message));
        if (const auto former = store_.meta(id_).rerun_of; step->attempt == 0 && step->state == runner::State::success && !former.empty())
            throw Error(Errc::not_found, flags_.step + " was kept from run " + former, "gantry logs " + former + " " + flags_.step);
        const bool never_began = flags_.attempt == 0 && step->attempt == 0 && step->message.empty() && !is_final(step->state);
        if (never_began && is_final(summary.state))
            throw Error(Errc::not_found, flags_.step + " of run " + id_ + " did not run", "gantry show " + id_ + " says how the run ended");
        if (never_began)
            throw Error(Errc::not_found, flags_.step + " of run " + id_ + " has not begun", "wait for it: gantry logs -f " + id_);
        store_.log_size(id_, *wanted_);
    }

    void follow()
    {
        RunWatch watch(store_, id_);
        for (auto summary = store_.summary(id_);;) {
            // Bytes are stored before the events that follow them: the summary first, then the logs.
            print(summary);
            if (over(summary) || output_->closed())
                break;
            const auto woken = watch.wait();
            if (woken.journal || woken.owner)
                summary = store_.summary(id_);
            if (woken.owner && !runner::is_final(summary.state))
                break;
        }
        finish_all();
    }

    bool over(const RunSummary& summary) const
    {
        if (runner::is_final(summary.state))
            return true;
        const auto* step = wanted_ ? find(summary, *wanted_) : nullptr;
        return step && (runner::is_final(step->state) || (flags_.attempt > 0 && step->attempt > flags_.attempt));
    }

    void print(const RunSummary& summary)
    {
        for (const auto& stage : summary.stages)
            for (const auto& step : stage.steps)
                if (!wanted_ || (wanted_->stage == stage.stage && wanted_->step == step.step))
                    print_step(step);
        // Between the steps only those that are asked for.
        if (wanted_)
            for (const auto& stage : summary.stages)
                for (const auto& service : stage.services)
                    if (wanted_->stage == stage.stage && wanted_->step == service.step)
                        print_step(service);
    }

    void print_step(const StepSummary& step)
    {
        if (flags_.attempt == 0 && step.attempt == 0)
            return;
        auto& printer = printers_[{step.stage, step.step, 0}];
        const int attempt = flags_.attempt > 0 ? flags_.attempt : step.attempt;
        // Those that came and went since the last look, too.
        for (int next = printer ? printer->step().attempt : attempt; next <= attempt; ++next) {
            if (!printer || printer->step().attempt < next) {
                if (printer)
                    printer->finish();
                printer = make_printer({step.stage, step.step, next});
            }
            printer->print();
        }
        if (runner::is_final(step.state))
            printer->finish();
    }

    std::unique_ptr<LogPrinter> make_printer(const runner::StepKey& step)
    {
        auto format = format_;
        if (!wanted_)
            format.prefix = terminal_safe(step.stage + "/" + step.step) + " | ";
        auto printer = std::make_unique<LogPrinter>(store_, id_, step, std::move(format), *output_);
        if (flags_.tail >= 0)
            printer->begin_at_last(flags_.tail);
        return printer;
    }

    void finish_all()
    {
        for (auto& [step, printer] : printers_)
            if (printer)
                printer->finish();
    }

    runner::Store& store_;
    const LogFlags& flags_;
    std::string id_;
    std::unique_ptr<Output> output_;
    LogFormat format_;
    std::optional<runner::StepKey> wanted_;
    std::map<runner::StepKey, std::unique_ptr<LogPrinter>> printers_;
};

} // namespace

void add_logs(CLI::App& app, Context& context)
{
    auto* command = app.add_subcommand("logs", "Print what steps printed");
    const auto flags = std::make_shared<LogFlags>();
    command->add_option("RUN", flags->run, "Its id, or latest")->type_name("")->required();
    command->add_option("STEP", flags->step, "unit, build/unit, or a service (default: all steps)")->type_name("");
    command->add_flag("-f,--follow", flags->follow, "Go on until the step, or the run, ends");
    command->add_flag("--timestamps", flags->timestamps, "A time before each line");
    command->add_option("--tail", flags->tail, "Only the last lines (of each step)")->type_name("N")->check(CLI::Range(0, 1000000).description(""));
    command->add_option("--attempt", flags->attempt, "Another attempt than the last")->type_name("N")->check(CLI::Range(1, 1000000).description(""));
    command->footer("Of one step: exactly its bytes, secrets masked.\n"
                    "Of all: each line behind its step.\n\n"
                    "Examples:\n"
                    "  gantry logs latest                  all of the latest run\n"
                    "  gantry logs 17 unit --tail 50\n"
                    "  gantry logs 17 services/db          what a service printed\n"
                    "  gantry logs -f 17 'test[gcc=13]/unit'");
    command->callback([&context, flags] {
        context.action = [flags](Context& inner) { return LogsCommand(inner, *flags).run(); };
    });
}

} // namespace gantry::app
