#include "app/execute.hpp"

#include "app/exit_code.hpp"
#include "app/housekeeper.hpp"
#include "app/junit.hpp"
#include "app/reap.hpp"
#include "app/registry.hpp"
#include "app/terminal.hpp"
#include "app/view/view.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/report_results.hpp"
#include "runner/run.hpp"
#include "runner/secret_store.hpp"
#include "runner/workspaces.hpp"

#include <boost/asio/signal_set.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <thread>

namespace gantry::app {

namespace {

constexpr auto k_redraw_interval = std::chrono::milliseconds(100);
const char* const k_consents[] = {"privileged", "host-paths", "devices", "host-namespaces", "security-opt", "all"};

// "gantry 0.1.0 · shop @ 4f2a9c1 (main, 3 files changed) · docker 20.10 · run 17"
std::string header_of(const ExecuteRequest& request, const engine::EngineInfo& info, const std::string& id)
{
    std::string where;
    if (!request.source.sha.empty())
        where += " @ " + request.source.sha.substr(0, 7);
    std::string more = request.source.branch;
    if (request.snapshot.dirty && request.source.changed > 0)
        more += (more.empty() ? "" : ", ") + format_count(request.source.changed, "file") + " changed";
    if (!more.empty())
        where += " (" + more + ")";
    return "gantry " GANTRY_VERSION " · " + request.plan.pipeline + where + " · " + info.name + " " + info.version +
           " · run " + id;
}

std::map<std::string, std::string> details_of(const ExecuteRequest& request, const engine::EngineInfo& info)
{
    std::map<std::string, std::string> details{{"engine", info.name + " " + info.version},
                                               {"engine_endpoint", info.endpoint},
                                               {"event", std::string(to_string(request.plan.event.kind))}};
    if (!request.source.sha.empty())
        details["sha"] = request.source.sha;
    if (!request.source.branch.empty())
        details["branch"] = request.source.branch;
    if (!request.source.repo.empty())
        details["repo"] = request.source.repo;
    if (request.snapshot.dirty)
        details["changed"] = std::to_string(request.source.changed);
    return details;
}

engine::PullPolicy pull_policy_of(const std::string& text)
{
    if (text == "always")
        return engine::PullPolicy::always;
    if (text == "never")
        return engine::PullPolicy::never;
    if (text == "missing")
        return engine::PullPolicy::missing;
    throw Error(Errc::bad_input, "--pull " + text + ": there is no such policy", "one of always, missing, never");
}

struct Collected {
    std::map<std::string, Secret> secrets;
    int signal = 0; // that came while one was asked for: then the rest is not
};

// Every secret that the plan names, or one error for all that are missing.
Collected collect_secrets(Context& context, const pipeline::Plan& plan, const ExecuteFlags& flags)
{
    const auto wanted = plan.secrets();
    Collected collected;
    // A file that was named is read, whether or not something needs it: a slip in its name shows at once.
    if (wanted.empty() && flags.secret_files.empty())
        return collected;
    const runner::SecretSource source(flags.secret_files, config_dir());
    std::string missing, near;
    for (const auto& [name, step] : wanted) {
        auto secret = source.find(name);
        if (!secret && ::isatty(STDIN_FILENO) && ::isatty(STDERR_FILENO)) {
            auto answer = ask_for_secret(context, name);
            if ((collected.signal = answer.signal) != 0)
                return collected;
            secret = std::move(answer.value);
        }
        if (secret) {
            collected.secrets.emplace(name, std::move(*secret));
            continue;
        }
        missing += (missing.empty() ? "" : ", ") + name + ", which " + terminal_safe(step) + " wants";
        if (const auto known = nearest(name, source.names()))
            near += "there is one called " + *known + "; ";
    }
    if (!missing.empty())
        throw Error(Errc::bad_input, "no value for the secret " + missing,
                    near + "gantry secret set NAME, or --secret-file FILE with NAME=value lines, or GANTRY_SECRET_NAME in the "
                           "environment");
    return collected;
}

// Rather before the run than after it.
void expect_report_can_be_written(const std::string& file)
{
    if (file.empty())
        return;
    const auto folder = std::filesystem::absolute(file).parent_path().string();
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        const int number = errno;
        const auto remedy = number == ENOENT ? "make the folder " + folder + " first" : "let " + folder + " be a folder that you may write to";
        throw errno_error(number, "--report-junit " + file).with_hint(remedy + ", or name another place");
    }
    if (std::filesystem::is_directory(file))
        throw Error(Errc::bad_input, "--report-junit " + file + " is a folder", "name a file in it");
    if (std::filesystem::exists(file) && !std::filesystem::is_regular_file(file))
        throw Error(Errc::bad_input, "--report-junit " + file + " is not a regular file", "name one, or one that is not there yet");
}

// What flags and environment say. Throws bad_input for what cannot be: before there is a run that could be interrupted by it.
runner::RunOptions options_of(const ExecuteFlags& flags)
{
    runner::RunOptions options;
    options.artifact_limits = cache::artifact_limits_from_environment();
    options.slots = flags.jobs > 0 ? flags.jobs : default_jobs();
    options.consent = consent_of(flags);
    options.keep_failed = flags.keep_failed;
    options.pull = pull_policy_of(flags.pull);
    return options;
}

// Everything that lives as long as one execution. Throws bad_input for a level of the log that there is not.
class Execution {
public:
    Execution(Context& context, ExecuteRequest request, runner::RunOptions options)
        : context_(context), request_(std::move(request)), options_(std::move(options)), log_(context_.log())
    {
    }

    awaitable<void> body()
    {
        co_await reap(context_);
        co_await reap_caches(context_);
        auto& engine = context_.engine();
        const auto info = co_await engine.probe();
        budget_ = std::make_unique<runner::DiskBudget>(runner::keep_free_of(request_.flags.keep_free), budgeted(disks_of(info)));
        co_await check_room();
        const bool is_new = request_.resume.empty();
        request_.meta.engine = info.name;
        request_.meta.engine_endpoint = info.endpoint;
        request_.meta.engine_id = info.id;
        auto& store = context_.store();
        writer_ = is_new ? store.create_run(request_.plan, request_.meta) : store.reopen_run(request_.resume);

        const auto& flags = request_.flags;
        view_ = make_view(detect_view(flags.json, flags.quiet, flags.timestamps), streams_);
        view_->begin(request_.plan, writer_->id(), header_of(request_, info, writer_->id()));

        workspaces_ = make_workspace_provider(engine, info);
        groups_ = std::make_unique<runner::ConcurrencyGroups>(store.root() + "/groups", system_clock(),
                                                              [this](const std::string& run) { cancel_other(run); });
        runner::RunDeps deps{engine,       system_clock(), &context_.pool(), *writer_,
                             *workspaces_, log_, {view_.get()},    groups_.get(), &context_.caches()};
        deps.artifacts = &context_.artifacts();
        deps.disks = budget_.get();
        deps.find_earlier_results = [&store, id = writer_->id()](const std::string& stage) {
            return runner::find_earlier_results(store, id, stage);
        };
        run_ = std::make_unique<runner::Run>(request_.plan, std::move(deps), options_for(info));

        TaskGroup helpers(co_await asio::this_coro::executor);
        helpers.spawn([this] { return watch_signals(); });
        helpers.spawn([this] { return watch_reader(); });
        if (view_->is_live())
            helpers.spawn([this] { return redraw(); });
        std::exception_ptr failure;
        try {
            result_ = co_await run_->execute();
        } catch (...) {
            failure = std::current_exception();
        }
        co_await helpers.close();
        remove_old_artifacts();
        show_end();
        if (failure)
            std::rethrow_exception(failure);
        if (const auto unwritten = streams_.out->failure())
            context_.err("gantry: " + terminal_safe(unwritten->what()) + "\n");
    }

    // How the run ended is the news; of one that passed it is that somebody has not all of its output or of its files.
    int exit_code() const
    {
        const int code = exit_code_of(result_.state, result_.cause, signal_);
        const bool is_all_there = result_.is_written_back && !streams_.out->failure();
        return code == k_exit_ok && !is_all_there ? k_exit_infrastructure : code;
    }

private:
    std::unique_ptr<runner::WorkspaceProvider> make_workspace_provider(engine::Engine& engine, const engine::EngineInfo& info)
    {
        if (info.name == "fake")
            return runner::make_empty_workspaces(engine);
        runner::WorkspacesOptions options;
        options.source = request_.snapshot;
        options.info = info;
        options.cache_folder = request_.snapshot.cache_folder;
        options.instance = context_.store().instance();
        options.run = writer_->id();
        return runner::make_workspaces(engine, context_.pool(), log_, options);
    }

    static std::vector<runner::BudgetedDisk> budgeted(const std::vector<WatchedDisk>& disks)
    {
        std::vector<runner::BudgetedDisk> result;
        for (const auto& disk : disks)
            result.push_back({disk.what, disk.folder});
        return result;
    }

    // A run that has no room does not begin.
    awaitable<void> check_room()
    {
        auto error = budget_->find_short();
        if (!error)
            co_return;
        const auto freed = co_await what_prune_would_free(context_);
        throw freed.empty() ? std::move(*error) : std::move(*error).with_hint(freed + "\nor let runs take more: --keep-free SIZE");
    }

    // For `cancel_in_progress`.
    void cancel_other(const std::string& run)
    {
        try {
            context_.store().request_cancel(run, {false, "run " + writer_->id() + " takes its place"});
        } catch (const Error& error) {
            log_.info("not cancelled", {{"run", run}, {"why", error.what()}}); // it has ended meanwhile
        }
    }

    runner::RunOptions options_for(const engine::EngineInfo& info)
    {
        auto options = std::move(options_);
        options.instance = context_.store().instance();
        options.scope = request_.meta.folder;
        options.engine_id = info.id;
        if (request_.flags.in_place)
            options.write_back = request_.source.root;
        options.kept = request_.kept;
        options.kept_files = request_.kept_files;
        options.attempts = request_.attempts;
        options.resumed = request_.resumed;
        options.details = details_of(request_, info);
        return options;
    }

    awaitable<void> watch_signals()
    {
        asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM, SIGHUP);
        for (int count = 0;; ++count) {
            const int number = co_await signals.async_wait(use_awaitable);
            const auto asked = writer_->cancel_request();
            if (signal_ == 0)
                signal_ = asked ? SIGTERM : number;
            const char* name = number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
            run_->cancel(asked ? asked->by : name, count > 0 || (asked && asked->hard));
        }
    }

    // As in `gantry run | head -1`. What is written without a reader would kill most programs; a run ends as after SIGTERM.
    awaitable<void> watch_reader()
    {
        closed_ = std::make_unique<Signal>(co_await asio::this_coro::executor);
        streams_.out->on_closed([this] { closed_->notify_all(); });
        co_await closed_->wait_until([this] { return streams_.out->closed(); });
        if (streams_.out->failure())
            co_return; // a file that is full, of which the end tells
        if (signal_ == 0)
            signal_ = SIGTERM;
        run_->cancel("nobody reads its output any more", false);
    }

    awaitable<void> redraw()
    {
        for (;;) {
            co_await system_clock().sleep_for(k_redraw_interval);
            view_->tick();
        }
    }

    // Where runs keep none, this costs a look into a folder. What cannot go now goes after another run.
    void remove_old_artifacts()
    {
        try {
            context_.artifacts().tidy([this] {
                const auto ids = context_.store().run_ids();
                return cache::is_over(system_clock().wall(), {ids.begin(), ids.end()});
            });
        } catch (const Error& error) {
            log_.warn("artifacts were not removed", {{"why", error.what()}});
        }
    }

    void show_end()
    {
        auto& store = context_.store();
        const auto summary = store.summary(writer_->id());
        view_->end(summary, [this, &store](const runner::StepKey& step, int lines) {
            return store.tail_log(writer_->id(), step, lines);
        });
        if (!request_.flags.report_junit.empty())
            report_junit(summary);
    }

    // How the run ended is the news, whatever becomes of the report.
    void report_junit(const runner::RunSummary& summary)
    {
        const auto& file = request_.flags.report_junit;
        try {
            write_junit(summary, file, [this](const runner::StepKey& step, int lines) {
                return context_.store().tail_log(writer_->id(), step, lines);
            });
        } catch (const Error& error) {
            context_.err("gantry: " + terminal_safe(error.what()) + "\n");
        }
    }

    Context& context_;
    ExecuteRequest request_;
    runner::RunOptions options_; // until the run has them
    Log log_;
    std::unique_ptr<runner::DiskBudget> budget_;
    std::unique_ptr<runner::RunWriter> writer_;
    StandardStreams streams_;
    std::unique_ptr<Signal> closed_; // standard output
    std::unique_ptr<View> view_;
    std::unique_ptr<runner::WorkspaceProvider> workspaces_;
    std::unique_ptr<runner::ConcurrencyGroups> groups_;
    std::unique_ptr<runner::Run> run_;
    runner::RunResult result_;
    int signal_ = 0;
};

} // namespace

void add_execute_flags(CLI::App& command, ExecuteFlags& flags)
{
    command.add_option("-j,--jobs", flags.jobs, "Steps that run at a time")->type_name("N")->check(CLI::Range(1, 1000).description(""));
    command.add_option("--secret-file", flags.secret_files, "File of KEY=value lines")->type_name("FILE")->take_all()->allow_extra_args(false);
    command
        .add_option(
            "--allow", flags.allow,
            "Consent to what reaches this host: privileged, host-paths, devices, host-namespaces, security-opt, all")
        ->type_name("WHAT")
        ->delimiter(',')
        ->take_all()
        ->allow_extra_args(false);
    command.add_option("--pull", flags.pull, "always, missing (default) or never")->type_name("WHEN");
    command.add_option("--keep-free", flags.keep_free, "End rather than leave a disk less room than this (2 GB)")->type_name("SIZE");
    command.add_option("--report-junit", flags.report_junit, "Write the steps' results as JUnit XML")->type_name("FILE");
    command.add_flag("--keep-failed", flags.keep_failed, "Keep the container of what failed, for gantry shell");
    command.add_flag("--json", flags.json, "One event a line on standard output");
    command.add_flag("-q,--quiet", flags.quiet, "Only what failed, and how the run ended");
    command.add_flag("--timestamps", flags.timestamps, "A time before each line of output");
}

int default_jobs()
{
    return std::max(8, 2 * static_cast<int>(std::thread::hardware_concurrency()));
}

runner::Consent consent_of(const ExecuteFlags& flags)
{
    runner::Consent consent;
    for (const auto& word : flags.allow) {
        if (std::find(std::begin(k_consents), std::end(k_consents), word) == std::end(k_consents))
            throw Error(Errc::bad_input, "--allow " + word + ": there is no such consent",
                        "one of privileged, host-paths, devices, host-namespaces, security-opt, all");
        consent.insert(word);
    }
    return consent;
}

int execute(Context& context, ExecuteRequest request)
{
    expect_report_can_be_written(request.flags.report_junit);
    auto options = options_of(request.flags);
    auto collected = collect_secrets(context, request.plan, request.flags);
    if (collected.signal != 0)
        return 128 + collected.signal;
    options.secrets = std::move(collected.secrets);
    Execution execution(context, std::move(request), std::move(options));
    context.run([&execution] { return execution.body(); });
    return execution.exit_code();
}

} // namespace gantry::app
