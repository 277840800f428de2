#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

// Files by descriptor. Every failure is an Error with the path and the code that fits errno: not_found, denied, conflict,
// no_space (also for a full quota), bad_input. Every descriptor is close-on-exec. All of it blocks: use on_pool.

namespace gantry {

// Owns an open descriptor, or none.
class Fd {
public:
    Fd() = default;
    explicit Fd(int descriptor) : descriptor_(descriptor) {}
    Fd(Fd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Fd& operator=(Fd&& other) noexcept
    {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Fd();

    int get() const { return descriptor_; }
    int release() { return std::exchange(descriptor_, -1); }
    // Closes now. An error of close() is lost: write_all and sync_file report what matters.
    void reset();
    explicit operator bool() const { return descriptor_ >= 0; }

private:
    int descriptor_ = -1;
};

enum class Links { follow, refuse };

// The whole file. bad_input if it is not a regular file (pipes and devices are not waited for), if it has more than
// `limit_bytes`, or, with Links::refuse, if the path itself is a symbolic link.
std::string read_file(const std::string& path, std::size_t limit_bytes, Links links = Links::follow);

// Gives the whole file to `use`, piece by piece, in constant memory. bad_input as above; it has no limit.
void read_pieces(const std::string& path, Links links, const std::function<void(std::string_view)>& use);

// Replaces the file in one step: after a crash the path has the old or the new content, never a part. It gets exactly
// `mode`, whatever the umask. A symbolic link is replaced, not followed.
void write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode);

// Opens for appending; creates the file with `mode`. Refuses a symbolic link.
Fd open_append(const std::string& path, mode_t mode);
// Writes all of `bytes`. `name` is for the error.
void write_all(const Fd& file, std::string_view bytes, const std::string& name);
// Returns once the content is on the disk (fdatasync).
void sync_file(const Fd& file, const std::string& name);

// When the file was last written to; the clock's zero where there is none.
std::chrono::system_clock::time_point modified_at(const std::string& path);

// Creates the directory and those above it that are missing, each with `mode`. It may exist.
void make_directories(const std::string& path, mode_t mode);

// Removes a file, a symbolic link, or a directory with all that is in it. Follows no link, enters no other mount
// (conflict), and removes what is read-only. Nothing there: nothing happens. Depth is bounded by the disk alone.
void remove_tree(const std::string& path);

// Opens `path` below `directory`; bad_input if a ".." or a link on the way leads out of it, or through /proc's magic
// links. `flags` are those of open(2). unsupported on a kernel without openat2(2), that is before 5.6.
Fd open_beneath(const Fd& directory, const std::string& path, int flags, mode_t mode = 0);
// A directory to give to open_beneath.
Fd open_directory(const std::string& path);

// An exclusive lock that ends with the object or with the process. The file stays.
class FileLock {
public:
    explicit FileLock(Fd file) : file_(std::move(file)) {}

private:
    Fd file_;
};

// Creates the file with mode 0600 if it is missing. Nothing if somebody holds the lock, this process included.
std::optional<FileLock> try_lock_file(const std::string& path);

} // namespace gantry
