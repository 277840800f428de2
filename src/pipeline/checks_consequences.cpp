#include "pipeline/checks_internal.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>

namespace gantry::pipeline {

namespace {

// Where the thing whose absence a check reports could have stood, had the file been read whole.
enum class Elsewhere {
    in_its_stage_or_above, // or in what all stages share
    as_a_stage,
    anywhere,
};

struct Absence {
    std::string_view code;
    Elsewhere from;
};

// What the other codes say stands in the text itself, whatever is missing around it.
constexpr std::array<Absence, 12> k_absences = {{
    {"bad-name", Elsewhere::in_its_stage_or_above},
    {"cycle", Elsewhere::anywhere}, // a stage whose `needs` was not understood needs the one above
    {"empty", Elsewhere::in_its_stage_or_above},
    {"empty-step", Elsewhere::in_its_stage_or_above},
    {"no-image", Elsewhere::in_its_stage_or_above},
    {"push", Elsewhere::in_its_stage_or_above},
    {"unknown-name", Elsewhere::anywhere},
    {"unknown-network", Elsewhere::in_its_stage_or_above},
    {"unknown-service", Elsewhere::in_its_stage_or_above},
    {"unknown-stage", Elsewhere::as_a_stage},
    {"unknown-step", Elsewhere::anywhere},
    {"unknown-volume", Elsewhere::in_its_stage_or_above},
}};

// "stages[3]" of "stages[3].steps[0].run"; empty for what belongs to no stage.
std::string stage_of(std::string_view path)
{
    if (!path.starts_with("stages["))
        return {};
    return std::string(path.substr(0, path.find('.')));
}

class RefusedParts {
public:
    RefusedParts(const Definition& definition, const Diagnostics& read)
    {
        for (const auto& stage : definition.stages)
            loses_stage_ |= stage.name.empty();
        for (const auto& problem : read) {
            if (problem.severity != Severity::error)
                continue;
            any_ = true;
            const auto stage = stage_of(problem.path);
            loses_stage_ |= stage.empty() || problem.path == stage || problem.path == stage + ".name";
            stages_.insert(stage);
            paths_.insert(problem.path);
            places_.insert(place(problem.mark));
        }
    }

    bool may_explain(const Diagnostic& found) const
    {
        if (places_.contains(place(found.mark)) || is_at_or_above_a_refused_one(found.path))
            return true;
        const auto* absence = std::find_if(k_absences.begin(), k_absences.end(),
                                           [&](const Absence& row) { return row.code == found.code; });
        if (absence == k_absences.end())
            return false;
        switch (absence->from) {
        case Elsewhere::in_its_stage_or_above: return stages_.contains("") || stages_.contains(stage_of(found.path));
        case Elsewhere::as_a_stage: return loses_stage_;
        case Elsewhere::anywhere: break;
        }
        return any_;
    }

private:
    static std::tuple<int, int, int> place(const Mark& mark) { return {mark.file, mark.line, mark.column}; }

    // What a check says of a node whose inside was not understood, it may say for that.
    bool is_at_or_above_a_refused_one(const std::string& path) const
    {
        if (path.empty() || path == stage_of(path))
            return false;
        const auto next = paths_.lower_bound(path);
        return next != paths_.end() && next->starts_with(path) &&
               (next->size() == path.size() || (*next)[path.size()] == '.' || (*next)[path.size()] == '[');
    }

    bool any_ = false, loses_stage_ = false;
    std::set<std::string> stages_, paths_;
    std::set<std::tuple<int, int, int>> places_;
};

} // namespace

void drop_consequences(const Definition& definition, const Diagnostics& read, Diagnostics& found)
{
    const RefusedParts refused(definition, read);
    std::erase_if(found, [&](const Diagnostic& problem) { return refused.may_explain(problem); });
}

} // namespace gantry::pipeline
