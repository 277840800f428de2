#include "runner/store.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/run_writer.hpp"
#include "runner/source_files.hpp"
#include "runner/store_layout.hpp"
#include "runner/store_logs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_document_limit_bytes = 256 << 20;

nlohmann::json json_of(const RunMeta& meta)
{
    return {{"folder", meta.folder}, {"file", meta.file}, {"arguments", meta.arguments}, {"engine", meta.engine},
            {"engine_endpoint", meta.engine_endpoint}, {"engine_id", meta.engine_id}, {"rerun_of", meta.rerun_of}, {"rev", meta.rev},
            {"in_place", meta.in_place}};
}

RunMeta meta_from_json(const nlohmann::json& json)
{
    RunMeta meta;
    meta.folder = json.value("folder", "");
    meta.file = json.value("file", "");
    meta.arguments = json.value("arguments", std::vector<std::string>());
    meta.engine = json.value("engine", "");
    meta.engine_endpoint = json.value("engine_endpoint", "");
    meta.engine_id = json.value("engine_id", "");
    meta.rerun_of = json.value("rerun_of", "");
    meta.rev = json.value("rev", "");
    meta.in_place = json.value("in_place", false);
    return meta;
}

std::optional<int> parse_id(std::string_view text)
{
    int number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || number < 1 || text.front() == '0')
        return std::nullopt;
    return number;
}

// Numbers among the names in a folder, ascending.
std::vector<int> numbered_entries(const std::string& path)
{
    std::vector<int> numbers;
    std::error_code failure;
    for (fs::directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure)) {
        if (const auto number = parse_id(entry->path().filename().string()))
            numbers.push_back(*number);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

bool exists(const std::string& path)
{
    return ::access(path.c_str(), F_OK) == 0;
}

// A file of its own name with that content; the first of several processes wins, and all read the same.
std::string read_or_make(const std::string& path, const std::string& content)
{
    if (!exists(path)) {
        const std::string draft = path + "." + random_hex(4);
        write_file_atomic(draft, content, k_file_mode);
        if (::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
            const int number = errno;
            ::unlink(draft.c_str());
            throw errno_error(number, "create " + path);
        }
        ::unlink(draft.c_str());
    }
    return std::string(trim(read_file(path, 1024)));
}

class FolderHeldRun : public HeldRun {
public:
    FolderHeldRun(std::string path, std::string doomed, std::string active_mark, RunLock lock)
        : path_(std::move(path)), doomed_(std::move(doomed)), active_mark_(std::move(active_mark)), lock_(std::move(lock))
    {
    }

    void remove() override
    {
        if (::rename(path_.c_str(), doomed_.c_str()) != 0)
            throw errno_error(errno, "remove " + path_);
        ::unlink(active_mark_.c_str());
        remove_tree(doomed_);
    }

private:
    std::string path_, doomed_, active_mark_;
    RunLock lock_;
};

class FolderStore : public Store {
public:
    explicit FolderStore(std::string root) : root_(std::move(root))
    {
        for (const char* name : {"/runs", "/active", "/new"})
            make_directories(root_ + name, 0700);
        instance_ = read_or_make(root_ + "/instance", random_hex(4));
    }

    const std::string& instance() const override { return instance_; }
    std::string root() const override { return root_; }

    std::unique_ptr<RunWriter> create_run(const pipeline::Plan& plan, const RunMeta& meta) override;
    std::unique_ptr<RunWriter> reopen_run(const std::string& id) override;

    std::vector<std::string> run_ids() const override
    {
        const auto numbers = numbered_entries(root_ + "/runs");
        std::vector<std::string> ids;
        for (auto number = numbers.rbegin(); number != numbers.rend(); ++number)
            ids.push_back(std::to_string(*number));
        return ids;
    }

    std::vector<std::string> interrupted_runs() const override;
    std::vector<std::string> unclean_runs() const override;
    void set_aside(const std::string& id) override;
    bool is_alive(const std::string& id) const override { return RunLock::owner(existing(id).lock()).has_value(); }

    std::optional<int> owner(const std::string& id) const override { return RunLock::owner(existing(id).lock()); }

    std::string resolve_id(const std::string& id) const override;

    pipeline::Plan plan(const std::string& id) const override
    {
        return pipeline::plan_from_json(read_json(existing(id).plan()));
    }

    RunMeta meta(const std::string& id) const override
    {
        const std::string path = existing(id).meta();
        const auto json = read_json(path);
        if (!json.is_object())
            throw Error(Errc::internal, path + " is damaged");
        return meta_from_json(json);
    }

    std::vector<RunEvent> events(const std::string& id) const override
    {
        return read_journal(existing(id).journal()).events;
    }

    RunSummary summary(const std::string& id) const override;

    std::string read_log(const std::string& id, const StepKey& step, std::uint64_t offset, std::size_t limit_bytes) const override
    {
        return LogReader(existing(id), step).read(offset, limit_bytes);
    }

    std::uint64_t log_size(const std::string& id, const StepKey& step) const override
    {
        return LogReader(existing(id), step).size_bytes();
    }

    std::vector<LogPiece> read_log_pieces(const std::string& id, const StepKey& step, std::uint64_t offset,
                                          std::size_t limit_bytes) const override
    {
        return LogReader(existing(id), step).pieces(offset, limit_bytes);
    }

    std::string tail_log(const std::string& id, const StepKey& step, int lines) const override
    {
        return LogReader(existing(id), step).tail(lines);
    }

    void request_cancel(const std::string& id, const CancelRequest& request) override;
    std::unique_ptr<HeldRun> hold_run(const std::string& id) override;

private:
    std::vector<std::string> marked_runs() const;
    bool has_leftovers(const std::string& id) const;
    static nlohmann::json read_json(const std::string& path)
    {
        try {
            return nlohmann::json::parse(read_file(path, k_document_limit_bytes));
        } catch (const nlohmann::json::exception&) {
            throw Error(Errc::internal, path + " is damaged");
        }
    }

    RunFolder folder(const std::string& id) const { return {root_ + "/runs/" + id}; }
    std::string active_mark(const std::string& id) const { return root_ + "/active/" + id; }
    RunFolder existing(const std::string& id) const
    {
        const RunFolder run = folder(id);
        if (!parse_id(id) || !exists(run.path))
            throw unknown_run(id);
        return run;
    }
    Error unknown_run(const std::string& id) const;
    int last_id() const;
    std::string publish(const std::string& draft);
    void remove_old_drafts() const;

    std::string root_;
    std::string instance_;
};

Error FolderStore::unknown_run(const std::string& id) const
{
    const auto ids = run_ids();
    if (ids.empty())
        return Error(Errc::not_found, "there is no run " + id, "none has been made yet: gantry run");
    const auto near = nearest(id, ids);
    return Error(Errc::not_found, "there is no run " + id,
                 "the latest is " + ids.front() + (near && *near != ids.front() ? "; did you mean " + *near + "?" : ""));
}

// ---- making a run

int FolderStore::last_id() const
{
    const auto numbers = numbered_entries(root_ + "/runs");
    int last = numbers.empty() ? 0 : numbers.back();
    if (exists(root_ + "/last_id"))
        last = std::max(last, parse_id(trim(read_file(root_ + "/last_id", 64))).value_or(0));
    return last;
}

// Renames the finished draft to the next free id, which is the moment that others see it. The mark comes first: between the
// two a run that is not there looks active, which readers ignore; the other way round its interruption could be missed.
std::string FolderStore::publish(const std::string& draft)
{
    for (int number = last_id() + 1;; ++number) {
        const std::string id = std::to_string(number);
        const Fd mark(::open(active_mark(id).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, k_file_mode));
        if (!mark)
            throw errno_error(errno, "create " + active_mark(id));
        if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, folder(id).path.c_str(), RENAME_NOREPLACE) == 0) {
            replace_file(root_ + "/last_id", id + "\n");
            return id;
        }
        if (errno != EEXIST && errno != ENOTEMPTY)
            throw errno_error(errno, "create " + folder(id).path);
    }
}

// What processes left that died while they made or removed a run.
void FolderStore::remove_old_drafts() const
{
    constexpr auto k_age = std::chrono::hours(1);
    std::error_code failure;
    for (fs::directory_iterator entry(root_ + "/new", failure), end; !failure && entry != end; entry.increment(failure)) {
        std::error_code gone;
        const auto changed = entry->last_write_time(gone);
        if (!gone && fs::file_time_type::clock::now() - changed > k_age)
            remove_tree(entry->path().string());
    }
}

std::unique_ptr<RunWriter> FolderStore::create_run(const pipeline::Plan& plan, const RunMeta& meta)
{
    const std::string draft = root_ + "/new/" + random_hex(8);
    try {
        make_directories(draft + "/logs", 0700);
        const RunFolder files{draft};
        auto lock = RunLock::take(files.lock());
        GANTRY_ASSERT(lock);
        replace_file(files.plan(), pipeline::to_json(plan).dump());
        replace_file(files.meta(), json_of(meta).dump());
        open_append(files.journal(), k_file_mode);
        const std::string id = publish(draft);
        remove_old_drafts();
        return make_run_writer(id, folder(id), std::move(*lock), active_mark(id));
    } catch (Error& error) {
        remove_tree(draft);
        error.add_context("new run in " + root_);
        if (error.code() == Errc::denied)
            throw std::move(error).with_hint(hint_for_folder(root_, "XDG_STATE_HOME"));
        throw;
    }
}

std::unique_ptr<RunWriter> FolderStore::reopen_run(const std::string& id)
{
    const RunFolder run = existing(id);
    auto lock = RunLock::take(run.lock());
    if (!lock) {
        const int pid = RunLock::owner(run.lock()).value_or(0);
        throw Error(Errc::conflict, "run " + id + " is still going on in process " + std::to_string(pid), "gantry logs -f " + id);
    }
    const Journal journal = read_journal(run.journal());
    for (const auto& event : journal.events) {
        if (event.kind == RunEvent::Kind::run_finished)
            throw Error(Errc::conflict, "run " + id + " has ended: " + std::string(to_string(event.state)), "gantry rerun " + id);
    }
    if (::truncate(run.journal().c_str(), static_cast<off_t>(journal.whole_bytes)) != 0)
        throw errno_error(errno, "truncate " + run.journal());
    ::unlink(run.cancel().c_str()); // it was for the former process
    const Fd mark(::open(active_mark(id).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, k_file_mode));
    return make_run_writer(id, run, std::move(*lock), active_mark(id));
}

// ---- reading

std::vector<std::string> FolderStore::interrupted_runs() const
{
    std::vector<std::string> ids;
    for (const auto& id : marked_runs()) {
        if (!is_known_to_be_final(folder(id).journal()))
            ids.push_back(id);
        else if (!has_leftovers(id)) // it has ended just now, or died between its last event and the removal of its mark
            ::unlink(active_mark(id).c_str());
    }
    return ids;
}

std::vector<std::string> FolderStore::unclean_runs() const
{
    auto ids = marked_runs();
    std::erase_if(ids, [this](const std::string& id) { return !has_leftovers(id) || !is_known_to_be_final(folder(id).journal()); });
    return ids;
}

// Without a living owner; newest first.
std::vector<std::string> FolderStore::marked_runs() const
{
    std::vector<std::string> ids;
    for (const int number : numbered_entries(root_ + "/active")) {
        const std::string id = std::to_string(number);
        const RunFolder run = folder(id);
        if (exists(run.path) && !RunLock::owner(run.lock()))
            ids.insert(ids.begin(), id);
    }
    return ids;
}

bool FolderStore::has_leftovers(const std::string& id) const
{
    std::error_code failure;
    const auto size = std::filesystem::file_size(active_mark(id), failure);
    return !failure && size > 0;
}

std::string FolderStore::resolve_id(const std::string& id) const
{
    if (id == "latest") {
        const auto numbers = numbered_entries(root_ + "/runs");
        if (numbers.empty())
            throw unknown_run(id);
        return std::to_string(numbers.back());
    }
    existing(id);
    return id;
}

RunSummary FolderStore::summary(const std::string& id) const
{
    // Asked before the journal is read: a run that ends in between is final, not interrupted.
    const bool alive = is_alive(id);
    RunSummary summary = summarize(id, plan(id), events(id));
    if (!alive && !is_final(summary.state)) {
        summary.interrupted = true;
        summary.state = State::error;
        summary.cause = Cause::agent_lost;
    }
    return summary;
}

// ---- cancel, remove

void FolderStore::request_cancel(const std::string& id, const CancelRequest& request)
{
    const RunFolder run = existing(id);
    if (journal_is_final(run.journal()))
        throw Error(Errc::conflict, "run " + id + " has ended already");
    if (!RunLock::owner(run.lock()))
        throw Error(Errc::conflict, "run " + id + " was interrupted: its process is gone", "gantry resume " + id);
    replace_file(run.cancel(), (request.hard ? "hard\n" : "soft\n") + request.by);
    if (!RunLock::interrupt_owner(run.lock()) && RunLock::owner(run.lock()))
        throw Error(Errc::denied, "run " + id + ": its process " + std::to_string(owner(id).value_or(0)) + " cannot be signalled");
}

void FolderStore::set_aside(const std::string& id)
{
    existing(id);
    ::unlink(active_mark(id).c_str());
}

std::unique_ptr<HeldRun> FolderStore::hold_run(const std::string& id)
{
    const RunFolder run = existing(id);
    auto lock = RunLock::take(run.lock());
    if (!lock)
        throw Error(Errc::conflict, "run " + id + " is still going on", "gantry cancel " + id);
    return std::make_unique<FolderHeldRun>(run.path, root_ + "/new/removed-" + id + "-" + random_hex(4), active_mark(id), std::move(*lock));
}

} // namespace

bool made_at(const RunMeta& meta, const engine::EngineInfo& info)
{
    return meta.engine_id.empty() || info.id.empty() ? meta.engine_endpoint == info.endpoint : meta.engine_id == info.id;
}

std::optional<RunMeta> find_meta(const Store& store, const std::string& id)
{
    try {
        return store.meta(id);
    } catch (const Error& error) {
        if (error.code() != Errc::internal)
            throw;
        return std::nullopt;
    }
}

std::unique_ptr<Store> open_store(const std::string& folder)
{
    make_directories(folder, 0700);
    return std::make_unique<FolderStore>(folder);
}

} // namespace gantry::runner
