#include "runner/store_layout.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/lock.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gantry::runner {

std::string safe_file_name(std::string_view name)
{
    constexpr std::size_t k_longest = 100;
    std::string safe;
    for (const char c : name.substr(0, k_longest)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        safe += plain ? c : '_';
    }
    if (safe == name && !safe.empty() && safe.front() != '.')
        return safe;
    if (!safe.empty() && safe.front() == '.')
        safe.front() = '_';
    return safe + "=" + sha256_hex(name).substr(0, 16);
}

std::string RunFolder::log(const StepKey& step) const
{
    return logs(step.stage) + "/" + safe_file_name(step.step) + "." + std::to_string(step.attempt);
}

// ---- lock

namespace {

struct LockOwner {
    int pid = 0;
    std::uint64_t started = 0; // clock ticks since boot
};

// Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so counting begins behind its last ')'.
std::optional<std::uint64_t> start_time(int pid)
{
    const Fd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    char text[1024];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
    if (size <= 0)
        return std::nullopt;
    const std::string_view all(text, static_cast<std::size_t>(size));
    const std::size_t name_end = all.rfind(") ");
    if (name_end == std::string_view::npos)
        return std::nullopt;
    const auto fields = split(all.substr(name_end + 2), ' ');
    constexpr std::size_t k_start_time = 22 - 3;
    std::uint64_t ticks = 0;
    if (fields.size() <= k_start_time)
        return std::nullopt;
    const std::string& field = fields[k_start_time];
    if (std::from_chars(field.data(), field.data() + field.size(), ticks).ec != std::errc())
        return std::nullopt;
    return ticks;
}

LockOwner read_owner(const Fd& file)
{
    char text[64];
    const ssize_t size = ::pread(file.get(), text, sizeof text, 0);
    LockOwner owner;
    if (size <= 0)
        return owner;
    const char* const end = text + size;
    const auto [rest, failure] = std::from_chars(text, end, owner.pid);
    if (failure != std::errc() || rest == end)
        return {};
    std::from_chars(rest + 1, end, owner.started);
    return owner;
}

} // namespace

std::optional<RunLock> RunLock::take(const std::string& path)
{
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, "open " + path);
    if (!take_lock(file, path))
        return std::nullopt;
    const std::string text = std::to_string(::getpid()) + " " + std::to_string(start_time(::getpid()).value_or(0)) + "\n";
    // Written over what it had, since who makes room on a full disk takes locks, too.
    const auto size = static_cast<ssize_t>(text.size());
    if (::pwrite(file.get(), text.data(), text.size(), 0) != size || ::ftruncate(file.get(), size) != 0)
        throw errno_error(errno, "write " + path);
    return RunLock(std::move(file));
}

std::optional<int> RunLock::owner(const std::string& path)
{
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file || !is_locked(file, path))
        return std::nullopt;
    return read_owner(file).pid;
}

bool RunLock::interrupt_owner(const std::string& path)
{
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file || !is_locked(file, path))
        return false;
    const LockOwner owner = read_owner(file);
    if (owner.pid <= 0)
        return false;
    // The descriptor pins the process: what is checked is what is signalled.
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, owner.pid, 0)));
    if (!process || start_time(owner.pid) != owner.started)
        return false;
    return ::syscall(SYS_pidfd_send_signal, process.get(), SIGINT, nullptr, 0) == 0;
}

// ---- journal

namespace {
constexpr std::size_t k_journal_limit_bytes = std::size_t{1} << 30;
}

Journal read_journal(const std::string& path)
{
    const std::string text = read_file(path, k_journal_limit_bytes);
    Journal journal;
    std::size_t line_number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        ++line_number;
        const std::size_t end = text.find('\n', begin);
        if (end == std::string::npos)
            break;
        try {
            journal.events.push_back(event_from_json(nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                                                           text.begin() + static_cast<std::ptrdiff_t>(end))));
        } catch (const nlohmann::json::exception&) {
            if (end + 1 == text.size())
                break;
            throw Error(Errc::internal, path + " is damaged at line " + std::to_string(line_number));
        }
        begin = end + 1;
        journal.whole_bytes = begin;
    }
    return journal;
}

bool journal_is_final(const std::string& path)
{
    constexpr std::size_t k_tail_bytes = 64 * 1024;
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        throw errno_error(errno, "open " + path);
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0)
        throw errno_error(errno, "stat " + path);
    const auto size = static_cast<std::size_t>(info.st_size);
    std::string tail(std::min(size, k_tail_bytes), '\0');
    const ssize_t got = ::pread(file.get(), tail.data(), tail.size(), static_cast<off_t>(size - tail.size()));
    tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    // The word alone proves nothing (a step's output may be called like that), its absence does.
    const std::string_view word = to_string(RunEvent::Kind::run_finished);
    if (tail.find(word) == std::string::npos && (size <= k_tail_bytes || read_file(path, k_journal_limit_bytes).find(word) == std::string::npos))
        return false;
    const auto events = read_journal(path).events;
    return std::any_of(events.rbegin(), events.rend(), [](const RunEvent& event) { return event.kind == RunEvent::Kind::run_finished; });
}

bool is_known_to_be_final(const std::string& path) noexcept
{
    try {
        return journal_is_final(path);
    } catch (const std::exception&) {
        return false;
    }
}

// ---- log index: offset and stream in 8 bytes, nanoseconds since the epoch in 8, in this machine's byte order

std::string encode(const LogIndexEntry& entry)
{
    const std::uint64_t place = entry.offset << 1 | (entry.stream == engine::Stream::err ? 1U : 0U);
    const std::int64_t time = std::chrono::duration_cast<std::chrono::nanoseconds>(entry.time.time_since_epoch()).count();
    std::string bytes(k_log_index_entry_bytes, '\0');
    std::memcpy(bytes.data(), &place, sizeof place);
    std::memcpy(bytes.data() + sizeof place, &time, sizeof time);
    return bytes;
}

std::vector<LogIndexEntry> read_log_index(const std::string& path)
{
    constexpr std::size_t k_index_limit_bytes = std::size_t{1} << 28;
    const std::string bytes = read_file(path, k_index_limit_bytes);
    std::vector<LogIndexEntry> entries;
    for (std::size_t at = 0; at + k_log_index_entry_bytes <= bytes.size(); at += k_log_index_entry_bytes) {
        std::uint64_t place = 0;
        std::int64_t time = 0;
        std::memcpy(&place, bytes.data() + at, sizeof place);
        std::memcpy(&time, bytes.data() + at + sizeof place, sizeof time);
        const auto since_epoch = std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(time));
        entries.push_back({place >> 1, (place & 1) != 0 ? engine::Stream::err : engine::Stream::out,
                           std::chrono::system_clock::time_point(since_epoch)});
    }
    return entries;
}

} // namespace gantry::runner
