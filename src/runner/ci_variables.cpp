// The variables that users of other systems know by these names. docs/variables.md says what each means.
#include "runner/lower.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_short_sha = 8; // as GitLab has it

std::string last_part(const std::string& repo)
{
    const auto slash = repo.rfind('/');
    return slash == std::string::npos ? repo : repo.substr(slash + 1);
}

std::string namespace_of(const std::string& repo)
{
    const auto slash = repo.rfind('/');
    return slash == std::string::npos ? std::string() : repo.substr(0, slash);
}

// Letters, digits and dashes, at most 63: fit for host names and image tags.
std::string slug(const std::string& ref)
{
    std::string result;
    for (const char c : ref.substr(0, 63)) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        result += is_upper ? static_cast<char>(c - 'A' + 'a') : is_plain ? c : '-';
    }
    const auto first = result.find_first_not_of('-');
    if (first == std::string::npos)
        return {};
    return result.substr(first, result.find_last_not_of('-') - first + 1);
}

std::string subject_of(const std::string& text) { return text.substr(0, text.find('\n')); }

// What GitLab's users find in CI_PIPELINE_SOURCE.
std::string source_of(pipeline::Event::Kind kind)
{
    using Kind = pipeline::Event::Kind;
    switch (kind) {
    case Kind::pull_request: return "merge_request_event";
    case Kind::schedule: return "schedule";
    case Kind::manual: return "web";
    default: return "push";
    }
}

using Variables = std::vector<std::pair<std::string, std::string>>;

void add_commit(const pipeline::Event& event, Variables& variables)
{
    const auto& ref_name = event.tag.empty() ? event.branch : event.tag;
    variables.emplace_back("CI_COMMIT_SHA", event.sha);
    variables.emplace_back("CI_COMMIT_SHORT_SHA", event.sha.substr(0, k_short_sha));
    variables.emplace_back("CI_COMMIT_BEFORE_SHA", event.before_sha);
    variables.emplace_back("CI_COMMIT_REF", event.ref);
    variables.emplace_back("CI_COMMIT_REF_NAME", ref_name);
    variables.emplace_back("CI_COMMIT_REF_SLUG", slug(ref_name));
    if (event.tag.empty())
        variables.emplace_back("CI_COMMIT_BRANCH", event.branch);
    else
        variables.emplace_back("CI_COMMIT_TAG", event.tag);
    variables.emplace_back("CI_COMMIT_MESSAGE", event.message);
    variables.emplace_back("CI_COMMIT_TITLE", subject_of(event.message));
    variables.emplace_back("CI_COMMIT_AUTHOR", event.author);
    variables.emplace_back("CI_COMMIT_AUTHOR_EMAIL", event.author_email);
}

void add_repository(const pipeline::Event& event, Variables& variables)
{
    variables.emplace_back("CI_REPO", event.repo);
    variables.emplace_back("CI_REPO_NAME", last_part(event.repo));
    variables.emplace_back("CI_REPO_OWNER", namespace_of(event.repo));
    variables.emplace_back("CI_REPO_URL", event.repo_url);
    variables.emplace_back("CI_PROJECT_NAME", last_part(event.repo));
    variables.emplace_back("CI_PROJECT_PATH", event.repo);
    variables.emplace_back("CI_DEFAULT_BRANCH", event.default_branch);
}

void add_pull_request(const pipeline::Event& event, Variables& variables)
{
    if (!event.pull_request)
        return;
    const auto& request = *event.pull_request;
    const auto number = request.number > 0 ? std::to_string(request.number) : std::string(); // one that is played has none
    variables.emplace_back("CI_PULL_REQUEST_NUMBER", number);
    variables.emplace_back("CI_PULL_REQUEST_TITLE", request.title);
    variables.emplace_back("CI_PULL_REQUEST_SOURCE_BRANCH", request.source_branch);
    variables.emplace_back("CI_PULL_REQUEST_TARGET_BRANCH", request.target_branch);
    variables.emplace_back("CI_COMMIT_PULL_REQUEST", number);
    variables.emplace_back("CI_COMMIT_SOURCE_BRANCH", request.source_branch);
    variables.emplace_back("CI_COMMIT_TARGET_BRANCH", request.target_branch);
    variables.emplace_back("CI_MERGE_REQUEST_IID", number);
    variables.emplace_back("CI_MERGE_REQUEST_TITLE", request.title);
    variables.emplace_back("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", request.source_branch);
    variables.emplace_back("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", request.target_branch);
}

void add_run(const StepContext& context, Variables& variables)
{
    const auto& event = context.plan->event;
    const auto number = std::to_string(context.run_number);
    variables.emplace_back("CI_PIPELINE_NUMBER", number);
    variables.emplace_back("CI_PIPELINE_ID", context.owner.run.empty() ? number : context.owner.run);
    variables.emplace_back("CI_PIPELINE_NAME", context.plan->pipeline);
    variables.emplace_back("CI_PIPELINE_EVENT", std::string(to_string(event.kind)));
    variables.emplace_back("CI_PIPELINE_SOURCE", source_of(event.kind));
    variables.emplace_back("CI_STAGE_NAME", context.stage->name);
    variables.emplace_back("CI_JOB_STAGE", context.stage->name);
    variables.emplace_back("CI_JOB_NAME", context.stage->id + "/" + context.step->id);
    variables.emplace_back("CI_STEP_NAME", context.step->id);
    variables.emplace_back("CI_STEP_ATTEMPT", std::to_string(std::max(context.owner.attempt, 1)));
}

void add_paths(Variables& variables)
{
    const std::string exchange = k_exchange;
    variables.emplace_back("CI_WORKSPACE", k_workspace);
    variables.emplace_back("CI_PROJECT_DIR", k_workspace);
    variables.emplace_back("CI_ENV", exchange + "/env");
    variables.emplace_back("CI_OUTPUT", exchange + "/output");
    variables.emplace_back("CI_STEP_SUMMARY", exchange + "/summary");
}

} // namespace

std::vector<std::pair<std::string, std::string>> ci_variables(const StepContext& context)
{
    const auto& event = context.plan->event;
    Variables variables = {{"CI", "true"}, {"GANTRY", "true"}, {"CI_SYSTEM_NAME", "gantry"}};
    add_commit(event, variables);
    add_repository(event, variables);
    add_pull_request(event, variables);
    add_run(context, variables);
    add_paths(variables);
    if (event.commit_time > 0)
        variables.emplace_back("SOURCE_DATE_EPOCH", std::to_string(event.commit_time));
    // Unset reads better than empty where scripts ask whether something is there.
    std::erase_if(variables, [](const auto& variable) { return variable.second.empty(); });
    return variables;
}

} // namespace gantry::runner
