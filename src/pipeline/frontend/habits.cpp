#include "pipeline/frontend/habits.hpp"

#include "pipeline/frontend/word_list.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gantry::pipeline::native {

namespace {

struct Habit {
    std::string_view objects; // ids, separated by blanks
    std::string_view key;
    const char* hint;
};

constexpr Habit k_habits[] = {
    // GitLab, GitHub, Woodpecker and Drone, Codefresh, Concourse
    {"pipeline", "jobs", "the jobs of other systems are 'stages', a list of maps with 'name' and 'steps'"},
    {"pipeline", "pipeline", "write 'steps', or 'stages' for more than one"},
    {"pipeline", "workflow", "write 'on' for when it runs"},
    {"pipeline", "workflows", "one file is one pipeline; put several into .gantry/"},
    {"pipeline", "when", "write 'on' for when it runs"},
    {"pipeline", "trigger", "write 'on' for when it runs"},
    {"pipeline", "triggers", "write 'on' for when it runs"},
    {"pipeline", "branches", "write on: { push: { branches: [main] } }"},
    {"pipeline", "branch", "write on: { push: { branches: [main] } }"},
    {"pipeline", "tags", "write on: { push: { tags: [\"v*\"] } }"},
    {"pipeline", "paths", "write on: { push: { paths: [\"src/**\"] } }"},
    {"pipeline", "pull_request", "write it under 'on'"},
    {"pipeline", "schedule", "write it under 'on'"},
    {"pipeline", "clone", "the repository is checked out at /workspace by itself"},
    {"pipeline", "git", "the repository is checked out at /workspace by itself"},
    {"pipeline", "kind", "one file is one pipeline; this key has no meaning here"},
    {"pipeline", "type", "one file is one pipeline; this key has no meaning here"},
    {"pipeline stage", "permissions", "a step gets no token of the forge; give it the secrets that it needs"},
    {"defaults", "run", "write shell and working_dir right here"},
    {"pipeline", "version", "the format has no versions; leave it out"},
    {"pipeline", "default", "write 'defaults'"},
    {"pipeline", "script", "write steps: [{ run: … }]"},
    {"pipeline stage", "before_script", "make it the first step"},
    {"pipeline stage", "after_script", "write 'finally'"},
    {"pipeline stage step defaults", "variables", "write 'env'"},
    {"pipeline stage", "extends", "use an anchor (&name) and a merge key (<<: *name)"},
    {"step", "extends", "use an anchor (&name) and a merge key (<<: *name)"},
    {"pipeline stage", "strategy", "write 'matrix' right here"},
    {"pipeline stage", "cache", "write 'caches', a list"},
    {"step", "cache", "write 'caches' in the stage"},
    {"stage", "script", "write steps: [{ run: … }]"},
    {"stage", "run", "write steps: [{ run: … }]"},
    {"stage", "commands", "write steps: [{ run: … }]"},
    {"stage", "jobs", "write 'steps'; stages do not nest"},
    {"stage", "depends_on", "write 'needs', with names of stages"},
    {"stage", "dependsOn", "write 'needs', with names of stages"},
    {"stage", "runs-on", "write runs_on: { label: value }; containers come from 'image'"},
    {"stage", "agent", "write runs_on: { label: value }"},
    {"stage", "agents", "write runs_on: { label: value }"},
    {"stage", "tags", "write runs_on: { label: value }"},
    {"stage", "container", "write 'image'"},
    {"stage", "when", "write 'if'"},
    {"stage", "rules", "write 'if'"},
    {"stage", "only", "write 'if', or filters under 'on'"},
    {"stage", "except", "write 'if', or filters under 'on'"},
    {"stage", "condition", "write 'if'"},
    {"stage", "parallel", "stages with the same 'needs' run side by side; 'parallel' groups steps"},
    {"stage", "outputs", "a step hands values on through the file $CI_OUTPUT"},
    {"stage", "environment_name", "write 'approval' to ask before it runs"},
    {"step", "script", "write 'run'"},
    {"step", "commands", "write 'run', with one command a line"},
    {"step", "cmd", "write 'run'"},
    {"step", "freestyle", "write 'run'"},
    {"step", "when", "write 'if'"},
    {"step", "rules", "write 'if'"},
    {"step", "condition", "write 'if'"},
    {"step", "uses", "a step is a container: write 'image' and 'settings'"},
    {"step", "with", "write 'settings'"},
    {"step", "params", "write 'settings', or 'env'"},
    {"step", "needs", "steps run in the order of the list; 'needs' belongs to stages"},
    {"step", "failure", "write allow_failure: true"},
    {"step", "ignore_errors", "write allow_failure: true"},
    {"step", "continue-on-error", "write allow_failure: true"},
    {"step", "detach", "write it under 'services' of the stage"},
    {"step", "services", "'services' belongs to the stage"},
    {"step", "artifacts", "'artifacts' belongs to the stage"},
    {"step", "caches", "'caches' belongs to the stage"},
    {"step", "matrix", "'matrix' belongs to the stage"},
    {"step", "timeout-minutes", "write timeout: 10m"},
    {"step", "directory", "write 'working_dir'"},
    {"step", "working-directory", "write 'working_dir'"},
    {"step", "working_directory", "write 'working_dir'"},
    {"step", "outputs", "a step hands values on through the file $CI_OUTPUT"},
    {"step", "steps", "steps do not nest; 'parallel' groups them"},
    {"step service stage defaults", "pull", "write pull_policy: always"},
    {"step service stage defaults", "memory", "write resources: { memory: 1g }"},
    {"step service stage defaults", "limits", "write resources: { memory: 1g, cpus: 2 }"},
    {"step service stage defaults", "deploy", "write resources: { memory: 1g, cpus: 2 }"},
    {"service", "container_name", "the key under 'services' is the name"},
    {"service", "restart", "services live as long as their stage"},
    {"service", "run", "write 'command'; 'run' is for steps"},
    {"service", "expose", "services of a stage reach each other on every port"},
    {"triggers", "pull_requests", "write 'pull_request'"},
    {"triggers", "merge_request", "write 'pull_request'"},
    {"triggers", "merge_requests", "write 'pull_request'"},
    {"triggers", "cron", "write schedule: [{ cron: \"0 3 * * *\" }]"},
    {"triggers", "workflow_dispatch", "write 'manual'"},
    {"triggers", "tag", "write push: { tags: [\"v*\"] }"},
    {"triggers", "tags", "write push: { tags: [\"v*\"] }"},
    {"triggers", "branches", "write push: { branches: [main] }"},
    {"triggers", "branch", "write push: { branches: [main] }"},
    {"push_trigger pull_request_trigger", "branch", "write branches: [main]"},
    {"push_trigger pull_request_trigger", "paths-ignore", "write paths: [\"!docs/**\"]"},
    {"push_trigger pull_request_trigger", "branches-ignore", "use an 'if' on the stages"},
    {"retry", "attempts", "write max: the number of further attempts"},
    {"retry", "limit", "write max: the number of further attempts"},
    {"retry", "exit_codes", "write when: [exit_codes: [75]]"},
};

constexpr std::string_view k_in_names = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
constexpr auto k_begins_names = k_in_names.substr(0, k_in_names.find('0'));

// The first of just two dollar signs before a name; npos when there are none. "$${{" is one before an expression.
std::size_t find_doubled_dollar(std::string_view text)
{
    for (auto at = text.find("$$"); at != std::string_view::npos; at = text.find("$$", at)) {
        const auto next = std::min(text.find_first_not_of('$', at), text.size());
        const auto start = next + (text.substr(next).starts_with('{') ? 1 : 0);
        if (next - at == 2 && start < text.size() && k_begins_names.find(text[start]) != std::string_view::npos)
            return at;
        at = next;
    }
    return std::string_view::npos;
}

void warn_of_doubled_dollar(Reader& reader, const Node& value)
{
    const std::string_view text = value.text;
    const auto at = find_doubled_dollar(text);
    if (at == std::string_view::npos)
        return;
    const bool is_braced = text[at + 2] == '{';
    auto name = text.substr(at + (is_braced ? 3 : 2));
    name = name.substr(0, name.find_first_not_of(k_in_names));
    reader.warn_inside(value, at, "no-effect", "'$$' is not an escape here",
                       fmt::format("write ${}{}{}", is_braced ? "{" : "", clip(name), is_braced ? "}" : ""));
}

void warn_of_doubled_dollars_below(Reader& reader, const Node& node)
{
    if (node.is_scalar())
        warn_of_doubled_dollar(reader, node);
    for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        warn_of_doubled_dollars_below(reader, node.value(i));
    }
    for (std::size_t i = 0; node.is_list() && i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        warn_of_doubled_dollars_below(reader, *node.items[i]);
    }
}

void warn_of_doubled_dollars_in(Reader& reader, const Node& map, std::string_view keys)
{
    for (std::size_t i = 0; map.is_map() && i < map.pairs(); ++i) {
        const Reader::Inside inside(reader, map.key(i));
        if (map.key(i).text == "healthcheck")
            warn_of_doubled_dollars_in(reader, map.value(i), "test");
        else if (is_word_of(keys, map.key(i).text))
            warn_of_doubled_dollars_below(reader, map.value(i));
    }
}

} // namespace

void warn_of_doubled_dollars(Reader& reader, const Node& service)
{
    warn_of_doubled_dollars_in(reader, service, "command entrypoint environment env");
}

std::string habit_hint(std::string_view object, std::string_view key, const Node& value)
{
    if (object == "pipeline" && key.starts_with('.') && key.size() > 1)
        return fmt::format("write x{}{}: such keys are free, for anchors", key[1] == '-' ? "" : "-", clip(key.substr(1)));
    const auto* found = std::find_if(std::begin(k_habits), std::end(k_habits), [&](const Habit& habit) {
        return habit.key == key && is_word_of(habit.objects, object);
    });
    if (found != std::end(k_habits))
        return found->hint;
    constexpr std::string_view of_jobs[] = {"script", "steps", "stage", "extends", "image", "rules", "trigger"};
    const bool is_job = object == "pipeline" && value.is_map() &&
                        std::any_of(std::begin(of_jobs), std::end(of_jobs), [&](std::string_view name) { return value.find(name) != nullptr; });
    return is_job ? "a job is one of the 'stages', a list of maps with 'name' and 'steps'" : "";
}

std::string habit_hint_for_text(std::string_view object)
{
    return object == "stage" ? "write { name: …, steps: [{ run: … }] }: a stage has its steps in it" : "";
}

} // namespace gantry::pipeline::native
