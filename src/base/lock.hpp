#pragma once

#include "base/file.hpp"

#include <string>

// Locks of whole files that one can look at without taking them: who looks hinders nobody. They end with the descriptor and with
// the process (open file description locks, fcntl(2)), and know nothing of those of flock(2). What the kernel cannot do is thrown
// as an Error with `name` or the path.

namespace gantry {

// Takes the lock for `file`, which is open for writing. False where another descriptor has it, of this process or of another.
bool take_lock(const Fd& file, const std::string& name);
// Takes it beside others who do the same: all that a directory has, which nobody can open for writing. False as above.
bool share_lock(const Fd& file, const std::string& name);

// Whether another descriptor has it, alone or shared.
bool is_locked(const Fd& file, const std::string& name);
// False where there is none, or a symbolic link.
bool is_locked(const std::string& path);

} // namespace gantry
