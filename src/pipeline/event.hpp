#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::pipeline {

// Why a run starts, and on what: facts from git, a forge or the command line. Plain values; all of them are data from
// outside and none is ever pasted into a script.
struct Event {
    enum class Kind { push, pull_request, tag, schedule, manual } kind = Kind::manual;
    std::string branch; // of the push, or the target of the pull request
    std::string tag;
    std::string ref;    // refs/heads/main
    std::string sha;    // 40 or 64 hex digits; empty outside git
    std::string before_sha;
    std::string message; // of the commit
    std::string author, author_email;
    std::string repo;        // "group/name", or the folder's name
    std::string repo_url;
    std::string default_branch;
    bool dirty = false;      // the working tree as it is
    bool trusted = true;     // false: a pull request from a fork
    std::int64_t commit_time = 0; // seconds since the epoch, for SOURCE_DATE_EPOCH
    struct PullRequest {
        int number = 0;
        std::string title, source_branch, target_branch;
        friend bool operator==(const PullRequest&, const PullRequest&) = default;
    };
    std::optional<PullRequest> pull_request;
    std::optional<std::vector<std::string>> changed_files; // empty: not known, so path filters let everything pass
    std::map<std::string, std::string> inputs;
    friend bool operator==(const Event&, const Event&) = default;
};

std::string_view to_string(Event::Kind kind);
std::optional<Event::Kind> parse_event_kind(std::string_view text);
// Its first eight digits, as GitLab's CI_COMMIT_SHORT_SHA has them.
std::string short_sha(const Event& event);

} // namespace gantry::pipeline
