#include "pipeline/checks_internal.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace gantry::pipeline {

namespace {

// Where the thing whose absence a check reports could have stood, had the file been read whole.
enum class Elsewhere {
    in_it,                 // in the object that the problem is of
    around_it,             // in one that it is in, or in the defaults
    in_its_stage,
    in_its_stage_or_above, // or in what all stages share
    anywhere,
};

struct Absence {
    std::string_view code, about; // Diagnostic::about where the code alone does not tell
    Elsewhere from;
    std::string_view keys; // what declares such a thing, each between blanks
};

// What the other codes say stands in the text itself, whatever is missing around it; so do names that Gantry gives.
constexpr std::array<Absence, 14> k_absences = {{
    {"bad-name", "", Elsewhere::in_it, " name "},
    {"cycle", "", Elsewhere::anywhere, " needs name "}, // a stage whose `needs` was not understood needs the one above
    {"empty", "", Elsewhere::around_it, " steps stages parallel missing-key "},
    {"empty-step", "", Elsewhere::in_it, " run command entrypoint build push settings image parallel missing-key "},
    {"no-image", "", Elsewhere::around_it, " image build defaults "},
    {"push", "", Elsewhere::in_its_stage, " build push tags image missing-key "},
    {"unknown-name", "inputs", Elsewhere::anywhere, " on manual inputs "},
    {"unknown-name", "matrix", Elsewhere::in_its_stage, " matrix include "},
    {"unknown-name", "services", Elsewhere::in_its_stage, " services compose "},
    {"unknown-network", "", Elsewhere::in_its_stage_or_above, " networks network_mode "},
    {"unknown-service", "", Elsewhere::in_its_stage, " services compose "},
    {"unknown-stage", "", Elsewhere::anywhere, " name stages matrix "},
    {"unknown-step", "", Elsewhere::anywhere, " name steps finally parallel stages needs "},
    {"unknown-volume", "", Elsewhere::in_its_stage_or_above, " volumes "},
}};

// Codes of which the mark is where their object begins, as that of its first key.
constexpr std::array<std::string_view, 4> k_of_an_object = {"bad-name", "empty", "empty-step", "no-image"};

// "stages[3]" of "stages[3].steps[0].run"; empty for what belongs to no stage.
std::string stage_of(std::string_view path)
{
    if (!path.starts_with("stages["))
        return {};
    return std::string(path.substr(0, path.find('.')));
}

// The short form's stage is called as the checks call it.
std::string full_path(const std::string& path)
{
    for (const std::string_view key : {"steps", "finally", "services"})
        if (path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '[' || path[key.size()] == '.'))
            return "stages[0]." + path;
    return path;
}

bool is_within(std::string_view path, std::string_view outer)
{
    return outer.empty() || (path.starts_with(outer) && (path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '['));
}

// A key of which the value was not understood, or not whole.
struct RefusedKey {
    std::string owner; // path of the map that has it
    std::string key;   // empty: nobody knows what it stands for
    std::string word;  // the key between blanks, to be found in Absence::keys; made once, as it is looked for very often
};

RefusedKey refused_key(const Diagnostic& problem)
{
    std::string path = full_path(problem.path);
    if (problem.code == "missing-key") // that map was read whole
        return {path, problem.code, {}};
    while (path.ends_with(']'))
        path.erase(path.rfind('['));
    const auto dot = path.rfind('.');
    RefusedKey refused{path.substr(0, dot == std::string::npos ? 0 : dot), path.substr(dot + 1), {}};
    if (problem.code == "unknown-key")
        refused.key = problem.about;
    if (problem.code == "include" || refused.key == "include")
        refused.key = refused.owner.ends_with("matrix") ? "include" : "";
    if (refused.key == "name" && refused.owner.empty())
        refused.key = "name-of-pipeline"; // nobody refers to it
    // Entries of maps that have names of their own.
    const auto outer = refused.owner.substr(refused.owner.rfind('.') + 1);
    for (const std::string_view map : {"matrix", "services", "inputs", "volumes", "networks"})
        if (outer == map && !refused.key.empty())
            refused.key = outer;
    return refused;
}

class RefusedParts {
public:
    RefusedParts(const Definition& definition, const Diagnostics& read)
    {
        for (const auto& stage : definition.stages)
            has_nameless_stage_ |= stage.name.empty();
        for (const auto& problem : read) {
            if (problem.severity != Severity::error)
                continue;
            auto& refused = refused_.emplace_back(refused_key(problem));
            refused.word = " " + refused.key + " ";
            paths_.insert(full_path(problem.path));
            places_.insert(place(problem.mark));
        }
    }

    bool may_explain(const Diagnostic& found) const
    {
        const bool is_of_object = std::find(k_of_an_object.begin(), k_of_an_object.end(), found.code) != k_of_an_object.end();
        if (!is_of_object && (places_.contains(place(found.mark)) || is_at_or_above_a_refused_one(found.path)))
            return true;
        if (found.code == "unknown-stage" && has_nameless_stage_ && !refused_.empty())
            return true;
        const auto* absence = std::find_if(k_absences.begin(), k_absences.end(), [&](const Absence& row) {
            return row.code == found.code && (row.about.empty() || row.about == found.about);
        });
        return absence != k_absences.end() &&
               std::any_of(refused_.begin(), refused_.end(), [&](const RefusedKey& refused) { return explains(refused, *absence, found.path); });
    }

private:
    static std::tuple<int, int, int> place(const Mark& mark) { return {mark.file, mark.line, mark.column}; }

    static bool explains(const RefusedKey& refused, const Absence& absence, const std::string& found)
    {
        const bool is_unclear = refused.key.empty();
        if (!is_unclear && absence.keys.find(refused.word) == std::string_view::npos)
            return false;
        if (absence.code == "unknown-stage" && (is_unclear || refused.key == "name"))
            return is_unclear ? refused.owner.empty() : refused.owner == stage_of(refused.owner);
        const bool is_in_stage = stage_of(refused.owner) == stage_of(found);
        const bool is_above = stage_of(refused.owner).empty();
        switch (absence.from) {
        case Elsewhere::in_it: return refused.owner == found || refused.owner + "." + refused.key == found || (is_unclear && is_within(found, refused.owner));
        case Elsewhere::around_it: return is_within(found, refused.owner) || refused.owner == "defaults";
        case Elsewhere::in_its_stage: return is_in_stage || (is_above && (is_unclear || refused.owner.empty()));
        case Elsewhere::in_its_stage_or_above: return is_in_stage || is_above;
        case Elsewhere::anywhere: break;
        }
        return true;
    }

    // What a check says of a node whose inside was not understood, it may say for that.
    bool is_at_or_above_a_refused_one(const std::string& path) const
    {
        if (path.empty() || path == stage_of(path))
            return false;
        const auto next = paths_.lower_bound(path);
        return next != paths_.end() && is_within(*next, path);
    }

    bool has_nameless_stage_ = false;
    std::vector<RefusedKey> refused_;
    std::set<std::string> paths_;
    std::set<std::tuple<int, int, int>> places_;
};

} // namespace

void drop_consequences(const Definition& definition, const Diagnostics& read, Diagnostics& found)
{
    const RefusedParts refused(definition, read);
    std::erase_if(found, [&](const Diagnostic& problem) { return refused.may_explain(problem); });
}

} // namespace gantry::pipeline
