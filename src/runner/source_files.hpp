#pragma once

#include "base/file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

// File calls of the store and of snapshots that are about speed: nothing here waits for the disk.

namespace gantry::runner {

// Like write_file_atomic, but a power loss may bring back the old content or leave nothing. For what can be made again.
void replace_file(const std::string& path, std::string_view bytes);

// All of `from` into the empty file `to`: shares the blocks where the file system can (FICLONE), else copies in the kernel.
void copy_contents(const Fd& from, const Fd& to, const std::string& name);
// Whether both hold the same bytes.
bool same_contents(const Fd& a, const Fd& b, const std::string& name);

// flock(2) on a file that is created if need be; ends with the object.
enum class LockKind { shared, exclusive };
std::optional<Fd> try_lock(const std::string& path, LockKind kind);
// Waits; throws timed_out after `limit`, saying `what`, and as check_stop().
Fd wait_for_lock(const std::string& path, LockKind kind, std::chrono::nanoseconds limit, const std::string& what,
                 const std::stop_token& stop = {});

// Throws cancelled once a stop has been asked for.
void check_stop(const std::stop_token& stop);

} // namespace gantry::runner
