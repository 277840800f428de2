#include "pipeline/checks_internal.hpp"

#include "pipeline/plan_env.hpp"

#include "base/format.hpp"

#include <map>
#include <tuple>

namespace gantry::pipeline {

namespace {

class FileChecker {
public:
    FileChecker(const ReadFile& read_file, Diagnostics& out) : read_file_(read_file), out_(out) {}

    void check(const Container& container, const MakePath& path, Mark fallback)
    {
        for (const auto& file : container.env_file) {
            const auto& problem = problem_of(file);
            if (problem.code.empty())
                continue;
            const auto mark = file.mark.known() ? file.mark : mark_of(container.marks, "env_file", fallback);
            out_.push_back(error_at(mark, problem.code, problem.message, path() + ".env_file", hint_of(problem)));
        }
    }

private:
    static std::string hint_of(const EnvFile::Problem& problem)
    {
        if (!problem.hint.empty() || problem.code != "missing-file")
            return problem.hint;
        return "paths start at the root of the repository; { path: …, required: false } is passed over where there is none";
    }

    // Many steps name the same few files.
    const EnvFile::Problem& problem_of(const EnvFileEntry& file)
    {
        const auto [found, is_new] = problems_.try_emplace({file.path, file.required, file.raw});
        if (is_new)
            found->second = read_env_file(read_file_, file).problem;
        return found->second;
    }

    const ReadFile& read_file_;
    Diagnostics& out_;
    std::map<std::tuple<std::string, bool, bool>, EnvFile::Problem> problems_;
};

} // namespace

void check_files(const Definition& definition, const StageGraph& graph, const ReadFile& read_file, Diagnostics& out)
{
    FileChecker checker(read_file, out);
    checker.check(definition.defaults.container, [] { return std::string("defaults"); }, {});
    for (std::size_t i = 0; i < definition.stages.size(); ++i) {
        const auto& stage = definition.stages[i];
        checker.check(stage.container, [&] { return fmt::format("stages[{}]", i); }, stage.mark);
        for (const auto& service : stage.services)
            checker.check(service.container, [&] { return fmt::format("stages[{}].services.{}", i, service.name); }, service.mark);
        for (const auto& placed : graph.steps[i])
            checker.check(placed.step->container, [&] { return path_of(i, placed); }, placed.step->mark);
    }
}

} // namespace gantry::pipeline
