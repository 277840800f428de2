#pragma once

#include <string>
#include <vector>

namespace gantry::pipeline {

// The words of `shell:` with what makes the shell take a script as its next argument: a shell of the POSIX family (sh, bash,
// dash, ash, zsh, ksh, also by their paths, and those of busybox) without -c among its options gets it: [bash] is [bash, -ec],
// [sh, -x] is [sh, -x, -c]. Others, and those that are given a file to run, stay as they are.
std::vector<std::string> with_script_option(std::vector<std::string> shell);

} // namespace gantry::pipeline
