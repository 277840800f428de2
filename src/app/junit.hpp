#pragma once

#include "runner/store.hpp"

#include <functional>
#include <string>

namespace gantry::app {

// The steps of a run as JUnit XML (the form that Jenkins, GitLab and Forgejo read): a suite for each stage, a case for each
// step; failures with their message and last lines. Throws no_space, denied, … with the file's name.
void write_junit(const runner::RunSummary& summary, const std::string& file,
                 const std::function<std::string(const runner::StepKey&, int lines)>& tail);

} // namespace gantry::app
