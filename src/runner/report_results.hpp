#pragma once

#include "runner/report_summary.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

// What the reports of a stage said, kept beside its run's journal: <run folder>/reports/<stage>.json.

namespace gantry::runner {

class Store;

void write_results(const std::string& run_folder, const std::string& stage, const StageResults& results);
// Nothing where there are none, or where the file is damaged.
std::optional<StageResults> find_results(const std::string& run_folder, const std::string& stage);

// As it is kept: an array of objects with name, result and, where they are known, suite, duration_ns, message, place.
nlohmann::json to_json(const std::vector<TestCase>& tests);

// Those of the latest earlier run of the same file in the same folder whose stage had some. Looks at the journal folders of up
// to 100 runs.
std::optional<StageResults> find_earlier_results(const Store& store, const std::string& run, const std::string& stage);

} // namespace gantry::runner
