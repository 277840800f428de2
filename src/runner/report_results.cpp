#include "runner/report_results.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "runner/store.hpp"
#include "runner/store_layout.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace gantry::runner {

namespace {

using nlohmann::json;
using Result = TestCase::Result;

constexpr std::size_t k_results_limit_bytes = std::size_t(256) << 20;
constexpr std::size_t k_runs_looked_at = 100;
constexpr std::array<const char*, 3> k_results = {"passed", "failed", "skipped"};

std::string folder_of(const std::string& run_folder) { return run_folder + "/reports"; }

std::string file_of(const std::string& run_folder, const std::string& stage)
{
    return folder_of(run_folder) + "/" + safe_file_name(stage) + ".json";
}

json json_of_test(const TestCase& test)
{
    json value = {{"name", test.name}, {"result", k_results[static_cast<std::size_t>(test.result)]}};
    if (!test.suite.empty())
        value["suite"] = test.suite;
    if (test.duration.count() != 0)
        value["duration_ns"] = test.duration.count();
    if (!test.message.empty())
        value["message"] = test.message;
    if (!test.place.empty())
        value["place"] = test.place;
    return value;
}

TestCase test_of(const json& value)
{
    TestCase test;
    test.name = value.at("name").get<std::string>();
    test.suite = value.value("suite", "");
    test.duration = std::chrono::nanoseconds(value.value("duration_ns", std::int64_t{0}));
    test.message = value.value("message", "");
    test.place = value.value("place", "");
    const auto result = value.at("result").get<std::string>();
    const auto found = std::find(k_results.begin(), k_results.end(), result);
    test.result = found == k_results.end() ? Result::failed : static_cast<Result>(found - k_results.begin());
    return test;
}

} // namespace

json to_json(const std::vector<TestCase>& tests)
{
    auto array = json::array();
    for (const auto& test : tests)
        array.push_back(json_of_test(test));
    return array;
}

void write_results(const std::string& run_folder, const std::string& stage, const StageResults& results)
{
    json document = json::object();
    if (results.tests)
        document["tests"] = to_json(*results.tests);
    if (results.coverage)
        document["coverage"] = {{"lines", results.coverage->lines}, {"covered", results.coverage->covered}};
    make_directories(folder_of(run_folder), 0700);
    write_file_atomic(file_of(run_folder, stage), document.dump(-1, ' ', false, json::error_handler_t::replace), 0600);
}

std::optional<StageResults> find_results(const std::string& run_folder, const std::string& stage)
{
    try {
        const auto document = json::parse(read_file(file_of(run_folder, stage), k_results_limit_bytes));
        StageResults results;
        if (const auto tests = document.find("tests"); tests != document.end()) {
            results.tests.emplace();
            for (const auto& test : *tests)
                results.tests->push_back(test_of(test));
        }
        if (const auto coverage = document.find("coverage"); coverage != document.end())
            results.coverage =
                LineCount{coverage->at("lines").get<std::uint64_t>(), coverage->at("covered").get<std::uint64_t>()};
        return results;
    } catch (const Error&) {
        return std::nullopt;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

std::optional<StageResults> find_earlier_results(const Store& store, const std::string& run, const std::string& stage)
{
    const auto same_pipeline = [&, meta = store.meta(run)](const std::string& id) {
        const auto other = store.meta(id);
        return other.folder == meta.folder && other.file == meta.file;
    };
    std::size_t looked_at = 0;
    bool is_earlier = false;
    for (const auto& id : store.run_ids()) {
        if (is_earlier && ++looked_at <= k_runs_looked_at) {
            auto results = find_results(store.root() + "/runs/" + id, stage);
            if (results && same_pipeline(id))
                return results;
        }
        is_earlier = is_earlier || id == run;
    }
    return std::nullopt;
}

} // namespace gantry::runner
