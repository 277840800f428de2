#include "app/pipeline_source.hpp"

#include "base/error.hpp"
#include "base/paths.hpp"
#include "pipeline/fixed_variables.hpp"
#include "pipeline/frontend/native.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>

namespace gantry::app {

namespace fs = std::filesystem;

namespace {

constexpr const char* k_default_file = ".gantry.yml";
constexpr const char* k_folder = ".gantry";

bool is_pipeline_file(const fs::path& path)
{
    return path.extension() == ".yml" || path.extension() == ".yaml";
}

// The names of the pipelines in a folder, sorted; none where there is no such folder.
std::vector<std::string> pipelines_in(const fs::path& folder)
{
    std::vector<std::string> names;
    if (fs::is_directory(folder))
        for (const auto& entry : fs::directory_iterator(folder))
            if (is_pipeline_file(entry.path()))
                names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

// Relative to the root; throws bad_input for a file outside.
std::string below_root(const fs::path& root, const fs::path& file)
{
    const auto relative = fs::weakly_canonical(file).lexically_relative(fs::weakly_canonical(root));
    if (relative.empty() || *relative.begin() == "..")
        throw Error(Errc::bad_input, file.string() + " is outside of " + root.string(),
                    "give the repository that it belongs to: gantry run -f FILE PATH");
    return relative.string();
}

// A folder inside of a repository may have a pipeline of its own. Relative to the root; empty: neither has one.
std::string find_default_file(const std::string& path, const std::string& root)
{
    for (const auto& folder : {fs::path(path), fs::path(root)})
        if (fs::exists(folder / k_default_file))
            return below_root(root, folder / k_default_file);
    return {};
}

// Outside of git the folder that was named is the source; inside, the whole repository, or a folder with a pipeline.
std::string folder_of_file(const std::string& root, const fs::path& file)
{
    const auto folder = file.parent_path();
    const bool is_own = file.filename() == k_default_file && !folder.empty();
    return is_own ? (fs::path(root) / folder).string() : root;
}

std::string find_file(const SourceFlags& flags, const std::string& root)
{
    if (!flags.file.empty()) {
        const fs::path given(flags.file);
        if (given.is_relative() && fs::exists(fs::path(flags.path) / given))
            return below_root(root, fs::path(flags.path) / given);
        if (given.is_relative() && fs::exists(fs::path(root) / given))
            return given.lexically_normal().string();
        if (fs::exists(given))
            return below_root(root, given);
        if (!flags.rev.empty() || flags.committed)
            return given.lexically_normal().string();
        throw Error(Errc::not_found, "there is no pipeline file " + flags.file, "it is looked for in " + root);
    }
    if (auto file = find_default_file(flags.path, root); !file.empty())
        return file;
    auto found = pipelines_in(fs::path(root) / k_folder);
    for (auto& name : found)
        name = std::string(k_folder) + "/" + name;
    if (found.size() == 1)
        return found[0];
    if (found.empty())
        throw Error(Errc::not_found, "there is no " + std::string(k_default_file) + " in " + root,
                    "the smallest one:  image: debian:bookworm\n                   steps: [{ run: make test }]");
    std::string names;
    for (const auto& name : found)
        names += (names.empty() ? "" : ", ") + name;
    throw Error(Errc::bad_input, "there are several pipelines: " + names, "choose one: gantry " + flags.command + " -f " + found[0]);
}

// The commit that is asked for; empty: the one that is checked out, or the working tree.
std::string rev_of(const SourceFlags& flags)
{
    const auto tag = "refs/tags/" + flags.tag;
    const bool is_tag = flags.committed && flags.rev.empty() && !flags.tag.empty() && !runner::commit_id(flags.path, tag).empty();
    return is_tag ? tag : flags.rev;
}

} // namespace

void add_source_flags(CLI::App& command, SourceFlags& flags)
{
    flags.command = command.get_name();
    command.add_option("PATH", flags.path, "Repository or folder (default: here)")->type_name("");
    command.add_option("-f,--file", flags.file, "Pipeline file (default: .gantry.yml)")->type_name("FILE");
    command.add_option("--event", flags.event, "push, pull_request, tag, schedule or manual (default)")->type_name("KIND");
    command.add_option("--branch", flags.branch, "Branch, instead of the one checked out")->type_name("NAME");
    command.add_option("--tag", flags.tag, "Tag, for --event tag")->type_name("NAME");
    command.add_option("--base", flags.base, "Commit or branch that changed files are counted from")->type_name("REV");
    command.add_option("--rev", flags.rev, "Run this commit instead of the working tree")->type_name("REV");
    command.add_flag("!--dirty,--no-dirty", flags.committed, "The working tree as it is (default), or the last commit alone");
    command.add_option("--input", flags.inputs, "Input of a manual run")->type_name("K=V")->take_all()->allow_extra_args(false);
    command.add_option("--env", flags.env, "Variable for every step")->type_name("K=V")->take_all()->allow_extra_args(false);
    command.add_option("--stage", flags.stages, "Only this stage and what it needs")->type_name("NAME")->take_all()->allow_extra_args(false);
    command.add_option("--step", flags.steps, "Only this step and what it needs: unit, build/unit")->type_name("NAME")->take_all()->allow_extra_args(false);
    command.add_option("--matrix", flags.matrix, "Only these rows of matrices")->type_name("K=V")->take_all()->allow_extra_args(false);
}

std::vector<std::pair<std::string, std::string>> parse_pairs(const std::string& flag, const std::vector<std::string>& texts)
{
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error(Errc::bad_input, flag + " " + text + ": not NAME=VALUE");
        pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return pairs;
}

LoadedPipeline load_pipeline(const SourceFlags& flags)
{
    LoadedPipeline loaded;
    SourceFlags where = flags;
    // `gantry run some/pipeline.yml` says the same as -f.
    if (where.file.empty() && fs::is_regular_file(where.path)) {
        where.file = fs::absolute(where.path).string();
        where.path = fs::absolute(where.path).parent_path().string();
    }
    const auto rev = rev_of(where);
    loaded.source = rev.empty() ? runner::inspect_source(where.path) : runner::inspect_commit(where.path, rev);
    loaded.file = find_file(where, loaded.source.root);
    loaded.snapshot.folder = folder_of_file(loaded.source.root, loaded.file);
    if (loaded.snapshot.folder != loaded.source.root) {
        loaded.snapshot.alone = true;
        loaded.file = k_default_file;
    }
    loaded.snapshot.dirty = !flags.committed && flags.rev.empty();
    loaded.snapshot.rev = loaded.snapshot.dirty ? "" : loaded.source.sha; // HEAD may move meanwhile
    loaded.snapshot.cache_folder = cache_dir();
    loaded.parsed = pipeline::parse_native(loaded.file, runner::make_file_reader(loaded.snapshot));
    return loaded;
}

std::vector<SourceFlags> each_pipeline(const SourceFlags& flags)
{
    if (!flags.file.empty() || !fs::is_directory(flags.path))
        return {flags};
    auto folder = fs::canonical(flags.path);
    if (folder.filename() != k_folder) {
        const fs::path root = runner::source_root(flags.path);
        if (!find_default_file(flags.path, root.string()).empty())
            return {flags};
        folder = root / k_folder;
    }
    std::vector<SourceFlags> each;
    for (const auto& name : pipelines_in(folder)) {
        each.push_back(flags);
        each.back().path = folder.parent_path().string();
        each.back().file = (folder / name).string();
    }
    return each.empty() ? std::vector{flags} : each;
}

std::string folder_of_runs(const std::string& path)
{
    std::error_code failure;
    if (!fs::is_directory(path, failure)) {
        const auto gone = fs::weakly_canonical(fs::absolute(path), failure);
        return (gone.has_filename() ? gone : gone.parent_path()).string();
    }
    const auto root = runner::source_root(path);
    return folder_of_file(root, find_default_file(path, root));
}

namespace {

// Where a pull request left its target, as far as that branch is here.
std::string fork_point(const runner::SourceInfo& source, const std::string& target)
{
    if (target.empty() || target == source.branch)
        return {};
    for (const char* place : {"refs/heads/", "refs/remotes/origin/"})
        if (auto base = runner::merge_base(source.root, place + target, source.sha); !base.empty())
            return base;
    return {};
}

// What counts as changed when nothing is said: by a push, its last commit; by a pull request, all since it left its target.
std::string base_of(const SourceFlags& flags, const runner::SourceInfo& source, const pipeline::Event& event)
{
    if (!flags.base.empty() || source.sha.empty())
        return flags.base;
    if (event.kind == pipeline::Event::Kind::pull_request)
        return fork_point(source, event.pull_request->target_branch);
    return event.kind == pipeline::Event::Kind::push ? source.sha + "~1" : "";
}

// Nothing where there is no commit before it.
std::optional<std::vector<std::string>> changed_files_of(const SourceFlags& flags, const runner::SourceInfo& source,
                                                         const pipeline::Event& event)
{
    const auto base = base_of(flags, source, event);
    if (base.empty())
        return std::nullopt;
    auto files = runner::changed_files(source.root, base, source.sha, event.dirty);
    if (!files && !flags.base.empty())
        throw Error(Errc::bad_input, "--base " + flags.base + ": there is no such commit",
                    "name a commit, a tag or a branch: --base HEAD~1");
    return files;
}

} // namespace

pipeline::Event event_of(const SourceFlags& flags, const runner::SourceInfo& source)
{
    pipeline::Event event;
    if (!flags.event.empty()) {
        const auto kind = pipeline::parse_event_kind(flags.event);
        if (!kind)
            throw Error(Errc::bad_input, "--event " + flags.event + ": there is no such event",
                        "one of push, pull_request, tag, schedule, manual");
        event.kind = *kind;
    } else if (!flags.tag.empty()) {
        event.kind = pipeline::Event::Kind::tag;
    }
    event.branch = flags.branch.empty() ? source.branch : flags.branch;
    event.sha = source.sha;
    event.message = source.message;
    event.author = source.author;
    event.author_email = source.author_email;
    event.repo = source.repo;
    event.repo_url = source.remote_url;
    event.default_branch = source.default_branch;
    event.commit_time = source.commit_time;
    event.dirty = !flags.committed && flags.rev.empty() && source.changed > 0;
    if (event.kind == pipeline::Event::Kind::tag) {
        event.tag = flags.tag.empty() ? source.tag : flags.tag;
        if (event.tag.empty())
            throw Error(Errc::bad_input, "--event tag needs a tag", "name it: --tag v1.0");
        event.branch.clear();
        event.ref = "refs/tags/" + event.tag;
    } else if (!event.branch.empty()) {
        event.ref = "refs/heads/" + event.branch;
    }
    if (event.kind == pipeline::Event::Kind::pull_request) {
        event.pull_request = pipeline::Event::PullRequest{};
        event.pull_request->source_branch = source.branch;
        event.pull_request->target_branch = flags.branch.empty() ? source.default_branch : flags.branch;
        event.branch = event.pull_request->target_branch;
    }
    if (!flags.inputs.empty() && event.kind != pipeline::Event::Kind::manual)
        throw Error(Errc::bad_input, "--input belongs to runs by hand, and this is one for the event " + std::string(to_string(event.kind)),
                    "leave out --event, or --input");
    for (const auto& [name, value] : parse_pairs("--input", flags.inputs))
        event.inputs[name] = value;
    if (source.is_git)
        event.changed_files = changed_files_of(flags, source, event);
    if (source.is_git && event.kind == pipeline::Event::Kind::push)
        event.before_sha = runner::commit_id(source.root, base_of(flags, source, event));
    return event;
}

pipeline::PlanOptions plan_options_of(const SourceFlags& flags, const LoadedPipeline& loaded)
{
    pipeline::PlanOptions options;
    options.only_stages = flags.stages;
    options.only_steps = flags.steps;
    options.matrix = parse_pairs("--matrix", flags.matrix);
    for (auto& [name, value] : parse_pairs("--env", flags.env)) {
        if (pipeline::is_other_value(name, pipeline::Text(value)))
            throw Error(Errc::bad_input, "--env " + name + ": " + pipeline::fixed_variable_problem(name), pipeline::fixed_variable_hint(name));
        options.env.emplace_back(name, pipeline::Text(value));
    }
    options.hash_files = [source = loaded.snapshot](const std::vector<std::string>& globs) {
        return runner::hash_files(source, globs);
    };
    options.read_file = runner::make_file_reader(loaded.snapshot);
    return options;
}

} // namespace gantry::app
