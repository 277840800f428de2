#include "runner/store_logs.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

// Of files named "<step>.<attempt>.log"; 0 when there is none.
int last_attempt(const RunFolder& run, const StepKey& step)
{
    const std::string prefix = safe_file_name(step.step) + ".";
    constexpr std::string_view k_ending = ".log";
    int last = 0;
    std::error_code failure;
    for (std::filesystem::directory_iterator entry(run.logs(step.stage), failure), end; !failure && entry != end; entry.increment(failure)) {
        const std::string name = entry->path().filename().string();
        if (name.size() <= prefix.size() + k_ending.size() || name.compare(0, prefix.size(), prefix) != 0)
            continue;
        int attempt = 0;
        const char* const name_end = name.data() + name.size() - k_ending.size();
        const auto [rest, number_failure] = std::from_chars(name.data() + prefix.size(), name_end, attempt);
        if (number_failure == std::errc() && rest == name_end && name.compare(name.size() - k_ending.size(), k_ending.size(), k_ending) == 0)
            last = std::max(last, attempt);
    }
    return last;
}

} // namespace

LogReader::LogReader(const RunFolder& run, const StepKey& step)
{
    StepKey key = step;
    if (key.attempt == 0)
        key.attempt = last_attempt(run, step);
    path_ = run.log(key);
    file_ = Fd(::open((path_ + ".log").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file_ && errno == ENOENT)
        throw Error(Errc::not_found, "there is no log of " + step.stage + "/" + step.step +
                                         (step.attempt != 0 ? ", attempt " + std::to_string(step.attempt) : ""));
    if (!file_)
        throw errno_error(errno, "open " + path_ + ".log");
}

std::uint64_t LogReader::size_bytes() const
{
    struct stat info = {};
    if (::fstat(file_.get(), &info) != 0)
        throw errno_error(errno, "stat " + path_ + ".log");
    return static_cast<std::uint64_t>(info.st_size);
}

std::string LogReader::read(std::uint64_t offset, std::size_t limit_bytes) const
{
    const std::uint64_t size = size_bytes();
    if (offset >= size)
        return {};
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(limit_bytes, size - offset)), '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t count = ::pread(file_.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(offset + have));
        if (count < 0 && errno != EINTR)
            throw errno_error(errno, "read " + path_ + ".log");
        if (count == 0)
            break;
        have += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    bytes.resize(have);
    return bytes;
}

std::vector<LogPiece> LogReader::pieces(std::uint64_t offset, std::size_t limit_bytes) const
{
    const std::string bytes = read(offset, limit_bytes);
    std::vector<LogPiece> pieces;
    if (bytes.empty())
        return pieces;
    const std::uint64_t end = offset + bytes.size();
    // Entries are there before the bytes that they describe, so those of `bytes` are all there now.
    const auto index = read_log_index(path_ + ".idx");
    const auto by_offset = [](std::uint64_t at, const LogIndexEntry& entry) { return at < entry.offset; };
    auto entry = std::upper_bound(index.begin(), index.end(), offset, by_offset);
    LogIndexEntry now = entry == index.begin() ? LogIndexEntry{} : *(entry - 1);
    for (std::uint64_t at = offset; at < end;) {
        const std::uint64_t next = entry == index.end() ? end : std::min(entry->offset, end);
        if (next > at)
            pieces.push_back({now.stream, now.time, at, bytes.substr(static_cast<std::size_t>(at - offset), static_cast<std::size_t>(next - at))});
        at = next;
        if (entry != index.end())
            now = *entry++;
    }
    return pieces;
}

std::string LogReader::tail(int lines) const
{
    constexpr std::uint64_t k_longest_bytes = 1 << 20;
    const std::uint64_t size = size_bytes();
    if (lines <= 0)
        return {};
    for (std::uint64_t look_at_bytes = 16 * 1024;; look_at_bytes *= 4) {
        const std::uint64_t window = std::min({look_at_bytes, size, k_longest_bytes});
        const std::string bytes = read(size - window, static_cast<std::size_t>(window));
        // The line end that closes the last line begins no further one.
        std::size_t begin = bytes.size() - (!bytes.empty() && bytes.back() == '\n' ? 1 : 0);
        int found = 0;
        while (begin > 0 && !(bytes[begin - 1] == '\n' && ++found == lines))
            --begin;
        if (begin > 0 || window == size || window == k_longest_bytes)
            return bytes.substr(begin);
    }
}

} // namespace gantry::runner
