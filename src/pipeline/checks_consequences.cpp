#include "pipeline/checks_internal.hpp"

#include "base/format.hpp"

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
    {"push", "build", Elsewhere::in_its_stage, " build push tags image missing-key "},
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
// Codes of which the mark is in an expression: it is wrong whatever else its text has.
constexpr std::array<std::string_view, 4> k_of_an_expression = {"expression", "outsider-text", "unknown-name", "unknown-step"};

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
};

// Sections, and lists of such, of which a key can only stand for another of their own, whatever it is called.
constexpr std::string_view k_closed_sections =
    " approval artifacts bind blkio_config build caches concurrency config devices env_file files healthcheck ipam key logging manual on ports"
    " pull_request push ready reports resources retry schedule settings tmpfs volume volumes when workspace ";
// Of these, the ones without which a step does nothing: they are gone where something in them is refused.
constexpr std::string_view k_work_of_a_step = " push settings ";
// Maps of which the entries have names of their own and keys as closed sections have.
constexpr std::string_view k_closed_entries = " depends_on inputs networks ulimits volumes ";

template <std::size_t N> bool is_among(const std::array<std::string_view, N>& words, const std::string& word)
{
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_among(std::string_view words, const std::string& word) { return words.find(" " + word + " ") != std::string_view::npos; }

// The last key of a path, without the indices behind it, and what is before that.
RefusedKey split_path(std::string path)
{
    // Users' own keys may hold such brackets, too.
    for (auto open = path.rfind('['); path.ends_with(']') && open != std::string::npos; open = path.rfind('['))
        path.erase(open);
    const auto dot = path.rfind('.');
    return {path.substr(0, dot == std::string::npos ? 0 : dot), path.substr(dot + 1)};
}

bool is_of_read_keys(const Diagnostic& problem) { return problem.code == "conflict" && problem.about == k_both_read; }

// Keys of a stage that stand beside `stages` are those of no stage.
std::string path_in_definition(const Diagnostic& problem)
{
    const bool is_at_root = problem.path.find_first_of(".[") == std::string::npos;
    return problem.code == "conflict" && is_at_root ? problem.path : full_path(problem.path);
}

RefusedKey refused_key(const Diagnostic& problem)
{
    if (problem.code == "missing-key") // that map was read whole
        return {full_path(problem.path), problem.code};
    auto refused = split_path(path_in_definition(problem));
    if (problem.code == "unknown-key")
        refused.key = problem.about;
    else if (refused.key.empty() && problem.path.ends_with('.'))
        refused = split_path(refused.owner); // an entry whose name is empty: what its map may declare is known
    if (problem.code == "include" || refused.key == "include")
        refused.key = refused.owner.ends_with("matrix") ? "include" : "";
    const bool is_known = !refused.key.empty() && refused.key.find(' ') == std::string::npos;
    const auto section = split_path(refused.owner);
    if (is_among(is_known ? k_work_of_a_step : k_closed_sections, section.key))
        refused = section;
    else if (!is_known && is_among(k_closed_entries, split_path(section.owner).key))
        refused = split_path(section.owner);
    // Entries of maps that have names of their own.
    const auto outer = refused.owner.substr(refused.owner.rfind('.') + 1);
    for (const std::string_view map : {"matrix", "services", "inputs", "volumes", "networks"})
        if (outer == map && !refused.key.empty())
            refused.key = outer;
    return refused;
}

// More than one for a key of which it is known what it may be, but not which.
std::vector<RefusedKey> refused_keys(const Diagnostic& problem)
{
    const auto refused = refused_key(problem);
    const bool is_of_no_stage = problem.code == "conflict" && refused.owner.empty() && refused.key == "finally";
    if (is_of_read_keys(problem) || is_of_no_stage)
        return {};
    std::vector<RefusedKey> keys;
    for (auto& key : problem.code == "unknown-key" ? split(refused.key, ' ') : std::vector{refused.key})
        if (!refused.owner.empty() || (key != "name" && key != "needs")) // nobody refers to the pipeline, and it to nobody
            keys.push_back({refused.owner, std::move(key)});
    return keys;
}

// The paths at which an absence may come from refused keys: a set, as there can be thousands of both.
class Reach {
public:
    void add(const RefusedKey& refused, const Absence& absence)
    {
        const bool is_unclear = refused.key.empty();
        const auto stage = stage_of(refused.owner);
        if (absence.code == "unknown-stage" && (is_unclear || refused.key == "name")) {
            is_everywhere_ |= is_unclear ? refused.owner.empty() : refused.owner == stage;
            return;
        }
        switch (absence.from) {
        case Elsewhere::in_it:
            exactly_.insert(refused.owner);
            exactly_.insert(refused.owner + "." + refused.key);
            if (is_unclear)
                add_within(refused.owner);
            break;
        case Elsewhere::around_it: add_within(refused.owner == "defaults" ? "" : refused.owner); break;
        case Elsewhere::in_its_stage:
            stages_.insert(stage);
            is_everywhere_ |= stage.empty() && (is_unclear || refused.owner.empty());
            break;
        case Elsewhere::in_its_stage_or_above:
            stages_.insert(stage);
            is_everywhere_ |= stage.empty();
            break;
        case Elsewhere::anywhere: is_everywhere_ = true; break;
        }
    }

    bool contains(std::string_view path) const
    {
        if (is_everywhere_ || exactly_.contains(path) || (!stages_.empty() && stages_.contains(stage_of(path))))
            return true;
        while (!within_.empty() && !path.empty()) {
            if (within_.contains(path))
                return true;
            const auto end = path.find_last_of(".[");
            path = path.substr(0, end == std::string_view::npos ? 0 : end);
        }
        return false;
    }

private:
    void add_within(const std::string& path)
    {
        is_everywhere_ |= path.empty();
        within_.insert(path);
    }

    bool is_everywhere_ = false;
    std::set<std::string, std::less<>> exactly_, within_, stages_;
};

class RefusedParts {
public:
    RefusedParts(const Definition& definition, const Diagnostics& read)
    {
        for (const auto& stage : definition.stages)
            has_nameless_stage_ |= stage.name.empty();
        for (const auto& problem : read) {
            if (problem.severity != Severity::error)
                continue;
            for (const auto& refused : refused_keys(problem))
                for (std::size_t i = 0; i < k_absences.size(); ++i)
                    if (refused.key.empty() || is_among(k_absences[i].keys, refused.key))
                        reach_[i].add(refused, k_absences[i]);
            const auto path = path_in_definition(problem);
            if (is_of_read_keys(problem)) {
                conflicts_.insert(split_path(path).owner);
                continue;
            }
            if (problem.code == "missing-key")
                absent_.insert(path + "." + problem.about);
            paths_.insert(path);
            places_.insert(place(problem.mark));
        }
    }

    bool may_explain(const Diagnostic& found) const
    {
        const bool is_of_object = is_among(k_of_an_object, found.code);
        if (!is_of_object && places_.contains(place(found.mark)))
            return true;
        if (!is_of_object && !is_among(k_of_an_expression, found.code) && is_at_or_above_a_refused_one(found.path))
            return true;
        if (repeats_conflict(found) || (found.code == "bad-name" && absent_.contains(found.path)))
            return true;
        if (found.code == "unknown-stage" && has_nameless_stage_ && !paths_.empty())
            return true;
        const auto absence = std::find_if(k_absences.begin(), k_absences.end(), [&](const Absence& row) {
            return row.code == found.code && (row.about.empty() || row.about == found.about);
        });
        return absence != k_absences.end() && reach_[static_cast<std::size_t>(absence - k_absences.begin())].contains(found.path);
    }

private:
    static std::tuple<int, int, int> place(const Mark& mark) { return {mark.file, mark.line, mark.column}; }

    // What a check says of a node whose inside was not understood, it may say for that.
    bool is_at_or_above_a_refused_one(const std::string& path) const
    {
        if (path.empty() || path == stage_of(path))
            return false;
        const auto next = paths_.lower_bound(path);
        return next != paths_.end() && is_within(*next, path);
    }

    // The reader says which keys cannot stand together, the checks what then makes no sense.
    bool repeats_conflict(const Diagnostic& found) const
    {
        const bool may_repeat = is_of_read_keys(found) || (found.code == "push" && found.about == "build");
        return may_repeat && conflicts_.contains(split_path(found.path).owner);
    }

    bool has_nameless_stage_ = false;
    std::array<Reach, k_absences.size()> reach_; // of the rows of k_absences
    std::set<std::string> paths_;
    std::set<std::string> absent_;    // keys that were said to be missing
    std::set<std::string> conflicts_; // objects with keys that cannot stand together, all of which were read
    std::set<std::tuple<int, int, int>> places_;
};

} // namespace

void drop_consequences(const Definition& definition, const Diagnostics& read, Diagnostics& found)
{
    const RefusedParts refused(definition, read);
    std::erase_if(found, [&](const Diagnostic& problem) { return refused.may_explain(problem); });
}

} // namespace gantry::pipeline
