#pragma once

#include "pipeline/checks.hpp"
#include "pipeline/plan_steps.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

// The parts of check(), each in a file of its own. They append to the same list, which check() sorts.

namespace gantry::pipeline {

// Says where something is ("stages[0].steps[1]"); asked only when there is a problem.
using MakePath = std::function<std::string()>;

// Where the entry `key` stands; `fallback` where that is not known.
Mark mark_of(const std::map<std::string, Mark>& marks, const std::string& key, Mark fallback);

Diagnostic error_at(Mark mark, std::string code, std::string message, std::string path, std::string hint = {});

// "did you mean 'x'?", or else the candidates when they are few, or nothing.
std::string hint_from(std::string_view word, const std::vector<std::string>& candidates);

// The same for names that have to be collected first. Silent once many problems are found: a file with thousands of
// them is not helped by hints, and each costs a comparison with every candidate.
template <typename Collect>
std::string hint_from(std::string_view word, const Diagnostics& so_far, Collect collect)
{
    return so_far.size() > 50 ? std::string() : hint_from(word, collect());
}

// "a needs b needs a" of a circle; a long one is told by its ends.
std::string text_of_circle(const std::vector<std::size_t>& circle, std::string_view verb, const std::function<const std::string&(std::size_t)>& name_of);

// Names, needs that are unknown, cycles, each once and spelled out.
void check_stages(const Definition& definition, const StageGraph& graph, Diagnostics& out);
// Expressions: syntax, names, and text from outside in scripts.
void check_expressions(const Definition& definition, const StageGraph& graph, Diagnostics& out);
// What each step and service says for itself, and the volumes, networks, services, caches and reports that it names.
void check_steps(const Definition& definition, const StageGraph& graph, Diagnostics& out);
void check_services(const Stage& stage, std::size_t index, Diagnostics& out);
// Ports of the host and fixed addresses that two services of a stage ask for at the same time.
void check_claims(const Definition& definition, const Stage& stage, std::size_t index, Diagnostics& out);
// Subnets of declared networks: what is in them, and where two of them meet.
void check_subnets(const Definition& definition, Diagnostics& out);
// Whether its rows are known before there is an event.
bool is_written_out(const Matrix& matrix);
// Returns how many rows the stage has, as far as that is known before there is an event; without a matrix 1.
std::size_t check_matrix(const Stage& stage, std::size_t index, Diagnostics& out);
// Whether a plan of the file stays within k_max_plan_steps and its like: a few lines can ask for millions of steps. `rows` are
// those of each stage.
void check_size(const Definition& definition, const StageGraph& graph, const std::vector<std::size_t>& rows, Diagnostics& out);
void check_caches(const Stage& stage, std::size_t index, Diagnostics& out);
void check_artifacts(const Stage& stage, std::size_t index, Diagnostics& out);
// What a container may name, by name: volumes and networks of the file, services of the stage that was entered last. Views the
// definition.
class DeclaredNames {
public:
    explicit DeclaredNames(const Definition& definition);
    void enter(const Stage& stage);

    const Definition& definition() const { return definition_; }
    const Stage* stage() const { return stage_; } // null: none was entered
    bool has_volume(std::string_view name) const { return volumes_.contains(name); }
    const NetworkDeclaration* find_network(std::string_view name) const;
    const Service* find_service(std::string_view name) const;

private:
    const Definition& definition_;
    const Stage* stage_ = nullptr;
    std::unordered_set<std::string_view> volumes_;
    std::unordered_map<std::string_view, const NetworkDeclaration*> networks_;
    std::unordered_map<std::string_view, const Service*> services_;
};
void check_container(const DeclaredNames& names, const Container& container, const MakePath& path, Mark fallback, Diagnostics& out);
// What the parts of each container say of each other: mounts at one path, a shared network.
void check_container_parts(const Definition& definition, const StageGraph& graph, Diagnostics& out);
void check_triggers(const Triggers& triggers, Diagnostics& out);
// What the files say that the definition names.
void check_files(const Definition& definition, const StageGraph& graph, const ReadFile& read_file, Diagnostics& out);
void check_capabilities(const Definition& definition, const StageGraph& graph, const Capabilities& capabilities,
                        Diagnostics& out);

// Takes out of `found` what may only be there because the parser refused something (`read`): what is said to be missing may
// stand in that.
void drop_consequences(const Definition& definition, const Diagnostics& read, Diagnostics& found);

} // namespace gantry::pipeline
