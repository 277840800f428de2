#include "runner/git.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <git2.h>

#include <cstdlib>
#include <exception>
#include <set>
#include <utility>

#include <sys/stat.h>

namespace gantry::runner {

namespace {

template <auto free_it>
struct Freed {
    template <typename T>
    void operator()(T* object) const { free_it(object); }
};
template <typename T, auto free_it>
using Handle = std::unique_ptr<T, Freed<free_it>>;

using Repository = Handle<git_repository, git_repository_free>;
using Reference = Handle<git_reference, git_reference_free>;
using Object = Handle<git_object, git_object_free>;
using Commit = Handle<git_commit, git_commit_free>;
using Tree = Handle<git_tree, git_tree_free>;
using Index = Handle<git_index, git_index_free>;
using Diff = Handle<git_diff, git_diff_free>;
using Blob = Handle<git_blob, git_blob_free>;
using TreeEntry = Handle<git_tree_entry, git_tree_entry_free>;
using Config = Handle<git_config, git_config_free>;
using References = Handle<git_reference_iterator, git_reference_iterator_free>;

void start_library()
{
    static const bool started = [] {
        git_libgit2_init();
        // It guards against running what somebody else's repository configures. We run nothing.
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
        return true;
    }();
    (void)started;
}

[[noreturn]] void fail(int code, const std::string& doing)
{
    const git_error* const last = git_error_last();
    const std::string why = last != nullptr && last->message != nullptr ? last->message : "unknown failure";
    throw Error(code == GIT_ENOTFOUND ? Errc::not_found : Errc::internal, doing + ": " + why);
}

// Calls a function of the form f(T** out, …); nothing when it does not find it.
template <typename H, typename Call>
H find(const std::string& doing, Call call)
{
    typename H::pointer object = nullptr;
    const int code = call(&object);
    if (code == GIT_ENOTFOUND || code == GIT_EUNBORNBRANCH)
        return nullptr;
    if (code != 0)
        fail(code, doing);
    return H(object);
}

template <typename H, typename Call>
H get(const std::string& doing, Call call)
{
    typename H::pointer object = nullptr;
    if (const int code = call(&object); code != 0)
        fail(code, doing);
    return H(object);
}

std::string text(const git_oid& id)
{
    char hex[GIT_OID_HEXSZ + 1];
    return git_oid_tostr(hex, sizeof hex, &id);
}

std::string text(const char* chars)
{
    return chars != nullptr ? chars : "";
}

std::string without_final_slash(std::string path)
{
    while (path.size() > 1 && path.back() == '/')
        path.pop_back();
    return path;
}

std::string stat_text(const std::string& path)
{
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0)
        return path + " -\n";
    return path + " " + std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
           std::to_string(info.st_mtim.tv_nsec) + "." + std::to_string(info.st_ctim.tv_sec) + "." + std::to_string(info.st_ctim.tv_nsec) + "\n";
}

} // namespace

struct GitRepository::Impl {
    Repository repository;
    std::string root, git_folder, common_folder;
    mutable Index index; // read when first asked for

    git_repository* get() const { return repository.get(); }

    git_index* the_index() const
    {
        if (!index)
            index = runner::get<Index>("read the index", [&](git_index** out) { return git_repository_index(out, get()); });
        return index.get();
    }

    Commit find_commit(const std::string& rev) const
    {
        git_object* found = nullptr;
        const int code = git_revparse_single(&found, get(), rev.c_str());
        const Object object(found);
        git_object* peeled = nullptr;
        if (code != 0 || git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT) != 0)
            return nullptr;
        return Commit(reinterpret_cast<git_commit*>(peeled));
    }

    Commit commit(const std::string& rev) const
    {
        auto found = find_commit(rev);
        if (!found)
            throw Error(Errc::not_found, "there is no commit '" + rev + "' in " + (root.empty() ? git_folder : root));
        return found;
    }

    Tree tree(const std::string& rev) const
    {
        const auto of = commit(rev);
        return runner::get<Tree>("read the tree of " + rev, [&](git_tree** out) { return git_commit_tree(out, of.get()); });
    }

    Diff diff_to_workdir(git_tree* base) const
    {
        git_diff_options options = GIT_DIFF_OPTIONS_INIT;
        options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS | GIT_DIFF_IGNORE_SUBMODULES;
        return runner::get<Diff>("compare with the work tree",
                                 [&](git_diff** out) { return git_diff_tree_to_workdir_with_index(out, get(), base, &options); });
    }

    std::string only_branch_at(const git_oid& id, git_branch_t kind) const;
    std::string tag_at(const git_oid& id) const;
    std::string default_branch() const;
    std::string branch_checked_out() const;
    void add_head(SourceInfo& info) const;
    void add_rev(SourceInfo& info, const std::string& rev) const;
    void add_commit(SourceInfo& info, const git_commit* commit) const;
    void add_remote(SourceInfo& info) const;
};

GitRepository::GitRepository(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GitRepository::~GitRepository() = default;

std::unique_ptr<GitRepository> GitRepository::find(const std::string& folder)
{
    start_library();
    auto impl = std::make_unique<Impl>();
    impl->repository = runner::find<Repository>("open the git repository at " + folder, [&](git_repository** out) {
        return git_repository_open_ext(out, folder.c_str(), GIT_REPOSITORY_OPEN_CROSS_FS, nullptr);
    });
    if (!impl->repository)
        return nullptr;
    impl->root = without_final_slash(text(git_repository_workdir(impl->get())));
    impl->git_folder = without_final_slash(text(git_repository_path(impl->get())));
    impl->common_folder = without_final_slash(text(git_repository_commondir(impl->get())));
    return std::unique_ptr<GitRepository>(new GitRepository(std::move(impl)));
}

const std::string& GitRepository::root() const { return impl_->root; }
const std::string& GitRepository::git_folder() const { return impl_->git_folder; }
const std::string& GitRepository::common_folder() const { return impl_->common_folder; }

// ---- facts

std::string GitRepository::Impl::only_branch_at(const git_oid& id, git_branch_t kind) const
{
    const auto all = runner::get<References>("list branches", [&](git_reference_iterator** out) {
        return git_reference_iterator_glob_new(out, get(), kind == GIT_BRANCH_LOCAL ? "refs/heads/*" : "refs/remotes/*");
    });
    std::string name;
    git_reference* next = nullptr;
    while (git_reference_next(&next, all.get()) == 0) {
        const Reference branch(next);
        const git_oid* const target = git_reference_target(branch.get());
        if (target == nullptr || !git_oid_equal(target, &id))
            continue;
        if (!name.empty())
            return {};
        name = text(git_reference_shorthand(branch.get()));
    }
    if (kind == GIT_BRANCH_REMOTE && !name.empty())
        name.erase(0, name.find('/') + 1);
    return name;
}

std::string GitRepository::Impl::tag_at(const git_oid& id) const
{
    const auto all = runner::get<References>("list tags", [&](git_reference_iterator** out) {
        return git_reference_iterator_glob_new(out, get(), "refs/tags/*");
    });
    std::string name;
    git_reference* next = nullptr;
    while (git_reference_next(&next, all.get()) == 0) {
        const Reference tag(next);
        const git_oid* target = git_reference_target_peel(tag.get());
        Object peeled;
        if (target == nullptr && (target = git_reference_target(tag.get())) != nullptr && !git_oid_equal(target, &id)) {
            git_object* object = nullptr;
            if (git_reference_peel(&object, tag.get(), GIT_OBJECT_COMMIT) != 0)
                continue;
            peeled.reset(object);
            target = git_object_id(object);
        }
        const std::string candidate = text(git_reference_shorthand(tag.get()));
        // Of several, the longer number is the later version: v1.10 comes behind v1.9.
        if (target != nullptr && git_oid_equal(target, &id) && std::pair(candidate.size(), candidate) > std::pair(name.size(), name))
            name = candidate;
    }
    return name;
}

std::string GitRepository::Impl::default_branch() const
{
    constexpr std::string_view k_remote = "refs/remotes/origin/";
    git_reference* found = nullptr;
    if (git_reference_lookup(&found, get(), "refs/remotes/origin/HEAD") == 0) {
        const Reference head(found);
        const std::string target = text(git_reference_symbolic_target(head.get()));
        if (target.rfind(k_remote, 0) == 0)
            return target.substr(k_remote.size());
    }
    for (const char* name : {"main", "master"}) {
        for (const std::string& prefix : {std::string("refs/heads/"), std::string(k_remote)}) {
            git_oid id;
            if (git_reference_name_to_id(&id, get(), (prefix + name).c_str()) == 0)
                return name;
        }
    }
    return {};
}

// Also of a detached HEAD, where just one branch is at its commit; empty where that cannot be told.
std::string GitRepository::Impl::branch_checked_out() const
{
    git_reference* found = nullptr;
    if (git_reference_lookup(&found, get(), "HEAD") == 0) {
        const Reference head(found);
        constexpr std::string_view k_heads = "refs/heads/";
        const std::string target = text(git_reference_symbolic_target(head.get()));
        if (target.rfind(k_heads, 0) == 0)
            return target.substr(k_heads.size());
    }
    git_oid id;
    if (git_reference_name_to_id(&id, get(), "HEAD") != 0)
        return {};
    const auto local = only_branch_at(id, GIT_BRANCH_LOCAL);
    return local.empty() ? only_branch_at(id, GIT_BRANCH_REMOTE) : local;
}

void GitRepository::Impl::add_head(SourceInfo& info) const
{
    info.branch = branch_checked_out();
    git_oid id;
    if (git_reference_name_to_id(&id, get(), "HEAD") != 0)
        return; // unborn
    const auto commit = runner::get<Commit>("read commit " + text(id), [&](git_commit** out) { return git_commit_lookup(out, get(), &id); });
    add_commit(info, commit.get());
}

void GitRepository::Impl::add_rev(SourceInfo& info, const std::string& rev) const
{
    add_commit(info, commit(rev).get());
    git_oid id;
    const bool is_branch = git_reference_name_to_id(&id, get(), ("refs/heads/" + rev).c_str()) == 0;
    info.branch = is_branch ? rev : branch_checked_out();
}

void GitRepository::Impl::add_commit(SourceInfo& info, const git_commit* commit) const
{
    const git_oid& id = *git_commit_id(commit);
    info.sha = text(id);
    info.tag = tag_at(id);
    info.message = std::string(trim(text(git_commit_message(commit))));
    if (const git_signature* const author = git_commit_author(commit); author != nullptr) {
        info.author = text(author->name);
        info.author_email = text(author->email);
    }
    info.commit_time = git_commit_time(commit);
}

void GitRepository::Impl::add_remote(SourceInfo& info) const
{
    const auto config = runner::find<Config>("read the configuration", [&](git_config** out) { return git_repository_config_snapshot(out, get()); });
    const char* url = nullptr;
    if (config && git_config_get_string(&url, config.get(), "remote.origin.url") == 0) {
        info.remote_url = without_credentials(url);
        info.repo = repo_name_of(info.remote_url);
    }
    if (info.repo.empty()) {
        const std::string folder = root.empty() ? git_folder : root;
        info.repo = folder.substr(folder.rfind('/') + 1);
    }
}

SourceInfo GitRepository::facts(const std::string& rev) const
{
    SourceInfo info;
    info.root = root().empty() ? git_folder() : root();
    info.is_git = true;
    if (rev.empty())
        impl_->add_head(info);
    else
        impl_->add_rev(info, rev);
    impl_->add_remote(info);
    info.default_branch = impl_->default_branch();
    if (info.default_branch.empty())
        info.default_branch = info.branch;
    return info;
}

int GitRepository::count_changed() const
{
    if (root().empty())
        return 0;
    const auto head = impl_->find_commit("HEAD");
    const auto base = head ? impl_->tree("HEAD") : nullptr;
    return static_cast<int>(git_diff_num_deltas(impl_->diff_to_workdir(base.get()).get()));
}

std::optional<std::vector<std::string>> GitRepository::changed_files(const std::string& base, const std::string& head,
                                                                     bool with_working_tree) const
{
    if (!impl_->find_commit(base) || !impl_->find_commit(head))
        return std::nullopt;
    const auto from = impl_->tree(base);
    const auto to = impl_->tree(head);
    std::set<std::string> paths;
    const auto add = [&](const Diff& diff) {
        for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
            const git_diff_delta* const delta = git_diff_get_delta(diff.get(), i);
            paths.insert(text(delta->old_file.path));
            paths.insert(text(delta->new_file.path));
        }
    };
    add(get<Diff>("compare " + base + " with " + head,
                  [&](git_diff** out) { return git_diff_tree_to_tree(out, impl_->get(), from.get(), to.get(), nullptr); }));
    if (with_working_tree && !root().empty())
        add(impl_->diff_to_workdir(to.get()));
    return std::vector<std::string>(paths.begin(), paths.end());
}

// ---- the work tree

bool GitRepository::is_ignored(const std::string& path) const
{
    int ignored = 0;
    if (const int code = git_ignore_path_is_ignored(&ignored, impl_->get(), path.c_str()); code != 0)
        fail(code, "read the ignore rules for " + path);
    return ignored != 0;
}

bool GitRepository::is_tracked(const std::string& path) const
{
    return git_index_find(nullptr, impl_->the_index(), path.c_str()) == 0;
}

bool GitRepository::has_tracked_below(const std::string& folder) const
{
    return git_index_find_prefix(nullptr, impl_->the_index(), folder.c_str()) == 0;
}

std::string GitRepository::rules_fingerprint() const
{
    std::string facts = stat_text(git_folder() + "/index") + stat_text(common_folder() + "/info/exclude");
    const auto config =
        runner::find<Config>("read the configuration", [&](git_config** out) { return git_repository_config_snapshot(out, impl_->get()); });
    git_buf path = {};
    if (config && git_config_get_path(&path, config.get(), "core.excludesfile") == 0)
        facts += stat_text(path.ptr);
    git_buf_dispose(&path);
    const char* const home = std::getenv("HOME");
    const char* const config_home = std::getenv("XDG_CONFIG_HOME");
    facts += stat_text((config_home != nullptr && *config_home != '\0' ? text(config_home) : text(home) + "/.config") + "/git/ignore");
    return sha256_hex(facts);
}

// ---- commits

std::string GitRepository::commit_id(const std::string& rev) const
{
    return text(*git_commit_id(impl_->commit(rev).get()));
}

std::string GitRepository::tree_id(const std::string& commit) const
{
    return text(*git_commit_tree_id(impl_->commit(commit).get()));
}

std::string GitRepository::merge_base(const std::string& one, const std::string& other) const
{
    const auto a = impl_->find_commit(one), b = impl_->find_commit(other);
    git_oid base;
    if (!a || !b || git_merge_base(&base, impl_->get(), git_commit_id(a.get()), git_commit_id(b.get())) != 0)
        return {};
    return text(base);
}

std::int64_t GitRepository::commit_time(const std::string& commit) const
{
    return git_commit_time(impl_->commit(commit).get());
}

namespace {

struct CommitWalk {
    git_repository* repository;
    const std::function<void(const GitRepository::Entry&)>* visit;
    const std::function<bool(const std::string&)>* wants;
    std::exception_ptr failure;
};

void visit_entry(const CommitWalk& walk, const char* folder, const git_tree_entry* entry)
{
    const git_filemode_t mode = git_tree_entry_filemode(entry);
    if (mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT)
        return;
    const std::string path = std::string(folder) + git_tree_entry_name(entry);
    if (*walk.wants && !(*walk.wants)(path))
        return;
    const auto blob = get<Blob>("read " + path, [&](git_blob** out) { return git_blob_lookup(out, walk.repository, git_tree_entry_id(entry)); });
    using Kind = GitRepository::Entry::Kind;
    const Kind kind = mode == GIT_FILEMODE_LINK ? Kind::link : mode == GIT_FILEMODE_BLOB_EXECUTABLE ? Kind::program : Kind::file;
    (*walk.visit)({path, kind, {static_cast<const char*>(git_blob_rawcontent(blob.get())), static_cast<std::size_t>(git_blob_rawsize(blob.get()))}});
}

// No exception may pass through libgit2's frames.
int visit_for_libgit2(const char* folder, const git_tree_entry* entry, void* payload)
{
    auto& walk = *static_cast<CommitWalk*>(payload);
    try {
        visit_entry(walk, folder, entry);
        return 0;
    } catch (...) {
        walk.failure = std::current_exception();
        return -1;
    }
}

} // namespace

void GitRepository::walk_commit(const std::string& commit, const std::function<void(const Entry&)>& visit,
                                const std::function<bool(const std::string&)>& wants) const
{
    const auto tree = impl_->tree(commit);
    CommitWalk walk{impl_->get(), &visit, &wants, nullptr};
    const int code = git_tree_walk(tree.get(), GIT_TREEWALK_PRE, visit_for_libgit2, &walk);
    if (walk.failure)
        std::rethrow_exception(walk.failure);
    if (code != 0)
        fail(code, "walk commit " + commit);
}

std::optional<GitRepository::Blob> GitRepository::find_blob(const std::string& commit, const std::string& path) const
{
    const auto tree = impl_->tree(commit);
    const auto entry = runner::find<TreeEntry>("find " + path, [&](git_tree_entry** out) { return git_tree_entry_bypath(out, tree.get(), path.c_str()); });
    if (!entry || git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB)
        return std::nullopt;
    const auto blob = get<runner::Blob>("read " + path, [&](git_blob** out) { return git_blob_lookup(out, impl_->get(), git_tree_entry_id(entry.get())); });
    return Blob{std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), static_cast<std::size_t>(git_blob_rawsize(blob.get()))),
                git_tree_entry_filemode(entry.get()) == GIT_FILEMODE_LINK};
}

void GitRepository::write_index(const std::string& commit, const std::string& index_path) const
{
    const auto tree = impl_->tree(commit);
    const auto index = get<Index>("open " + index_path, [&](git_index** out) { return git_index_open(out, index_path.c_str()); });
    int code = git_index_read_tree(index.get(), tree.get());
    if (code == 0)
        code = git_index_write(index.get());
    if (code != 0)
        fail(code, "write " + index_path);
}

// ---- addresses

std::string without_credentials(std::string_view remote_url)
{
    const std::size_t scheme = remote_url.find("://");
    if (scheme == std::string_view::npos)
        return std::string(remote_url); // scp-like: the user name is part of the address, and there is no password
    const std::size_t host = scheme + 3;
    const std::size_t at = remote_url.substr(0, remote_url.find('/', host)).rfind('@');
    if (at == std::string_view::npos || at < host)
        return std::string(remote_url);
    return std::string(remote_url.substr(0, host)) + std::string(remote_url.substr(at + 1));
}

std::string repo_name_of(std::string_view remote_url)
{
    std::string_view path;
    if (const std::size_t scheme = remote_url.find("://"); scheme != std::string_view::npos) {
        if (remote_url.substr(0, scheme) == "file")
            return {};
        const std::size_t slash = remote_url.find('/', scheme + 3);
        path = slash == std::string_view::npos ? std::string_view() : remote_url.substr(slash);
    } else if (const std::size_t colon = remote_url.find(':'); colon != std::string_view::npos && remote_url.find('/') > colon) {
        path = remote_url.substr(colon + 1);
    }
    while (!path.empty() && path.front() == '/')
        path.remove_prefix(1);
    while (!path.empty() && path.back() == '/')
        path.remove_suffix(1);
    if (path.size() > 4 && path.substr(path.size() - 4) == ".git")
        path.remove_suffix(4);
    return std::string(path);
}

} // namespace gantry::runner
