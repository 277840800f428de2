#include "runner/run_writer.hpp"

#include "base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

using TimePoint = std::chrono::system_clock::time_point;
constexpr std::size_t k_cancel_limit_bytes = 1024;

// A full disk comes with advice.
template <typename Write>
void writing(const Write& write)
{
    try {
        write();
    } catch (const Error& error) {
        if (error.code() != Errc::no_space)
            throw;
        throw Error(Errc::no_space, error.what(), "make room there: gantry prune logs; or set XDG_STATE_HOME to a bigger disk");
    }
}

std::uint64_t size_of(const Fd& file, const std::string& path)
{
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0)
        throw errno_error(errno, "stat " + path);
    return static_cast<std::uint64_t>(info.st_size);
}

// Bytes go straight to the file: who follows a log sees them at once, and a crash loses none.
class FileLog : public RunWriter::Log {
public:
    explicit FileLog(const std::string& path)
        : path_(path + ".log"), bytes_(open_append(path_, k_file_mode)), index_(open_append(path + ".idx", k_file_mode)),
          size_bytes_(size_of(bytes_, path_)), index_bytes_(size_of(index_, path_))
    {
    }

    void write(engine::Stream stream, std::string_view bytes, TimePoint time) override
    {
        if (bytes.empty())
            return;
        if (wants_entry(stream, time))
            add_entry(stream, time);
        try {
            writing([&] { write_all(bytes_, bytes, path_); });
        } catch (...) {
            size_bytes_ = size_of(bytes_, path_); // a part may have got there
            throw;
        }
        size_bytes_ += bytes.size();
    }

    std::uint64_t size_bytes() const override { return size_bytes_; }

private:
    static constexpr std::uint64_t k_entry_every_bytes = 64 * 1024;
    static constexpr auto k_entry_every = std::chrono::milliseconds(100);
    // 16 MiB of entries. From there on only length makes an entry: a step that flips streams byte by byte stays affordable.
    static constexpr std::uint64_t k_fine_index_bytes = (std::uint64_t{1} << 20) * k_log_index_entry_bytes;

    bool wants_entry(engine::Stream stream, TimePoint time) const
    {
        if (!has_entry_ || size_bytes_ - last_.offset >= k_entry_every_bytes)
            return true;
        const bool changed = stream != last_.stream || time - last_.time >= k_entry_every || time < last_.time;
        return changed && index_bytes_ < k_fine_index_bytes;
    }

    // Before the bytes that it describes: a reader may find an entry for what is yet to come, but no bytes without one.
    void add_entry(engine::Stream stream, TimePoint time)
    {
        last_ = {size_bytes_, stream, time};
        writing([&] { write_all(index_, encode(last_), path_); });
        index_bytes_ += k_log_index_entry_bytes;
        has_entry_ = true;
    }

    std::string path_;
    Fd bytes_, index_;
    std::uint64_t size_bytes_, index_bytes_;
    LogIndexEntry last_;
    bool has_entry_ = false;
};

class FolderWriter : public RunWriter {
public:
    FolderWriter(std::string id, RunFolder folder, RunLock lock, std::string active_mark)
        : id_(std::move(id)), folder_(std::move(folder)), lock_(std::move(lock)), active_mark_(std::move(active_mark)),
          journal_(open_append(folder_.journal(), k_file_mode)), journal_bytes_(size_of(journal_, folder_.journal()))
    {
    }

    const std::string& id() const override { return id_; }

    int number() const override
    {
        int number = 0;
        std::from_chars(id_.data(), id_.data() + id_.size(), number);
        return number;
    }

    std::string folder() const override { return folder_.path; }

    void append(const RunEvent& event) override
    {
        std::string line = to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        line += '\n';
        try {
            writing([&] { write_all(journal_, line, folder_.journal()); });
        } catch (...) {
            // Half a line would make the next one unreadable. If this fails too, the next writer cuts it off.
            [[maybe_unused]] const int cut = ::ftruncate(journal_.get(), static_cast<off_t>(journal_bytes_));
            throw;
        }
        journal_bytes_ += line.size();
        if (event.kind == RunEvent::Kind::run_finished)
            finish();
    }

    std::unique_ptr<Log> open_log(const StepKey& step) override
    {
        const std::string stage_folder = folder_.logs(step.stage);
        writing([&] { make_directories(stage_folder, 0700); });
        return std::make_unique<FileLog>(folder_.log(step));
    }

    std::optional<CancelRequest> cancel_request() const override
    {
        try {
            const auto text = read_file(folder_.cancel(), k_cancel_limit_bytes);
            const auto end = std::min(text.find('\n'), text.size());
            return CancelRequest{text.substr(0, end) == "hard", text.substr(std::min(end + 1, text.size()))};
        } catch (const Error&) {
            return std::nullopt;
        }
    }

    void note_leftovers() override
    {
        writing([&] {
            const Fd mark(::open(active_mark_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, k_file_mode));
            if (!mark)
                throw errno_error(errno, "write " + active_mark_);
            write_all(mark, "left", active_mark_);
        });
        has_leftovers_ = true;
    }

private:
    void finish()
    {
        writing([&] { sync_file(journal_, folder_.journal()); });
        if (!has_leftovers_)
            ::unlink(active_mark_.c_str()); // if it stays, a reader finds that the run is final and removes it
    }

    std::string id_;
    RunFolder folder_;
    RunLock lock_;
    std::string active_mark_;
    bool has_leftovers_ = false;
    Fd journal_;
    std::uint64_t journal_bytes_;
};

} // namespace

std::unique_ptr<RunWriter> make_run_writer(std::string id, RunFolder folder, RunLock lock, std::string active_mark)
{
    return std::make_unique<FolderWriter>(std::move(id), std::move(folder), std::move(lock), std::move(active_mark));
}

} // namespace gantry::runner
