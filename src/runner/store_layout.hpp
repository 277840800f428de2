#pragma once

#include "base/file.hpp"
#include "runner/report.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

// Names, locks and the journal's text inside of the state folder. Shared by the store, which reads, and the run's writer.

namespace gantry::runner {

// A file name for any text: letters, digits, '.', '_' and '-' stay; where anything else was there (or the name is long, empty
// or begins with '.') it gets '=' and a hash, so that two names never share a file.
std::string safe_file_name(std::string_view name);

inline constexpr mode_t k_file_mode = 0600; // of every file in it

// Paths of one run.
struct RunFolder {
    std::string path;
    std::string plan() const { return path + "/plan.json"; }
    std::string meta() const { return path + "/meta.json"; }
    std::string journal() const { return path + "/journal.jsonl"; }
    std::string lock() const { return path + "/lock"; }
    std::string cancel() const { return path + "/cancel"; }
    std::string logs(std::string_view stage) const { return path + "/logs/" + safe_file_name(stage); }
    // Without ".log" (bytes) and ".idx" (times).
    std::string log(const StepKey& step) const;
};

// The lock of a run (base/lock.hpp), so that one can ask who holds it without taking it.
// The file names its owner: pid, and the start time of that process (a pid alone may be somebody else's by now).
class RunLock {
public:
    // Creates the file if need be and takes the lock for this process; nothing when another one has it.
    static std::optional<RunLock> take(const std::string& path);
    // Process id of the owner, or 0 when that cannot be known; nothing when the lock is free.
    static std::optional<int> owner(const std::string& path);
    // Sends SIGINT to the owner. False when there is none.
    static bool interrupt_owner(const std::string& path);

private:
    explicit RunLock(Fd file) : file_(std::move(file)) {}
    Fd file_;
};

// The events of a journal; a last line that is torn (no line end, or not JSON) is left out. `whole_bytes` is where it begins.
// Throws internal for damage elsewhere.
struct Journal {
    std::vector<RunEvent> events;
    std::uint64_t whole_bytes = 0;
};
Journal read_journal(const std::string& path);
// Whether it has a run_finished. Looks at the end first, so that the length does not matter.
bool journal_is_final(const std::string& path);
// The same for who goes through all runs: a journal that cannot be read, of a newer gantry perhaps, stops nobody. It is not final.
bool is_known_to_be_final(const std::string& path) noexcept;

// One entry of a log's time index: the bytes from `offset` on came on `stream`, the first of them at `time`.
struct LogIndexEntry {
    std::uint64_t offset = 0;
    engine::Stream stream = engine::Stream::out;
    std::chrono::system_clock::time_point time{};
};
inline constexpr std::size_t k_log_index_entry_bytes = 16;
std::string encode(const LogIndexEntry& entry);
std::vector<LogIndexEntry> read_log_index(const std::string& path);

} // namespace gantry::runner
