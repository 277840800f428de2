#pragma once

#include "base/scratch.hpp"
#include "runner/snapshot.hpp"

#include <git2.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

// A folder or repository to take snapshots of, and what a container would see of one.

namespace gantry::tests {

inline void write(const std::string& path, const std::string& text)
{
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

inline std::string slurp(const std::string& path)
{
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

// Every file of the layers merged as overlayfs does it: content by path, "-> target" for links, a '*' in front of programs.
inline std::map<std::string, std::string> merged(const runner::Snapshot& snapshot)
{
    namespace fs = std::filesystem;
    std::map<std::string, std::string> files;
    const auto hide = [&](const std::string& path) {
        for (auto file = files.begin(); file != files.end();)
            file = file->first == path || file->first.rfind(path + "/", 0) == 0 ? files.erase(file) : std::next(file);
    };
    for (auto layer = snapshot.layers.rbegin(); layer != snapshot.layers.rend(); ++layer) {
        for (const auto& entry : fs::recursive_directory_iterator(*layer)) {
            const std::string path = entry.path().string().substr(layer->size() + 1);
            struct stat info = {};
            if (::lstat(entry.path().c_str(), &info) != 0)
                throw std::runtime_error(path);
            if (S_ISCHR(info.st_mode))
                hide(path);
            else if (S_ISLNK(info.st_mode))
                hide(path), files[path] = "-> " + fs::read_symlink(entry.path()).string();
            else if (S_ISREG(info.st_mode))
                hide(path), files[path] = ((info.st_mode & 0100) != 0 ? "*" : "") + slurp(entry.path());
            else if (files.count(path) != 0)
                hide(path); // a folder in the place of a file
        }
    }
    return files;
}

inline std::map<std::string, std::string> without_git(std::map<std::string, std::string> files)
{
    for (auto file = files.begin(); file != files.end();)
        file = file->first.rfind(".git/", 0) == 0 ? files.erase(file) : std::next(file);
    return files;
}

class TestRepo {
public:
    explicit TestRepo(const std::string& path) : path_(path)
    {
        git_libgit2_init();
        git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
        options.flags = GIT_REPOSITORY_INIT_MKPATH;
        options.initial_head = "main";
        check(git_repository_init_ext(&repository_, path.c_str(), &options));
    }
    TestRepo(const TestRepo&) = delete;
    ~TestRepo() { git_repository_free(repository_); }

    git_repository* get() const { return repository_; }
    const std::string& path() const { return path_; }
    void write(const std::string& name, const std::string& text) const { tests::write(path_ + "/" + name, text); }

    // Adds everything that is not ignored, commits it, and returns the id.
    std::string commit(const std::string& message = "Change")
    {
        git_index* index = nullptr;
        check(git_repository_index(&index, repository_));
        check(git_index_add_all(index, nullptr, 0, nullptr, nullptr));
        check(git_index_update_all(index, nullptr, nullptr, nullptr));
        check(git_index_write(index));
        git_oid tree_id;
        check(git_index_write_tree(&tree_id, index));
        git_index_free(index);
        return commit_tree(tree_id, message);
    }

    std::string commit_tree(const git_oid& tree_id, const std::string& message)
    {
        git_tree* tree = nullptr;
        check(git_tree_lookup(&tree, repository_, &tree_id));
        git_signature* author = nullptr;
        check(git_signature_new(&author, "Ada", "ada@example.org", 1700000000, 0));
        git_oid parent_id, id;
        git_commit* parent = nullptr;
        if (git_reference_name_to_id(&parent_id, repository_, "HEAD") == 0)
            check(git_commit_lookup(&parent, repository_, &parent_id));
        const git_commit* parents[] = {parent};
        check(git_commit_create(&id, repository_, "HEAD", author, author, nullptr, message.c_str(), tree, parent != nullptr ? 1 : 0, parents));
        git_commit_free(parent);
        git_signature_free(author);
        git_tree_free(tree);
        char hex[GIT_OID_HEXSZ + 1];
        return git_oid_tostr(hex, sizeof hex, &id);
    }

    void reference(const std::string& name, const std::string& sha) const
    {
        git_oid id;
        git_reference* reference = nullptr;
        check(git_oid_fromstr(&id, sha.c_str()));
        check(git_reference_create(&reference, repository_, name.c_str(), &id, 1, nullptr));
        git_reference_free(reference);
    }

    void annotated_tag(const std::string& name, const std::string& sha) const
    {
        git_object* target = nullptr;
        check(git_revparse_single(&target, repository_, sha.c_str()));
        git_signature* tagger = nullptr;
        check(git_signature_new(&tagger, "Ada", "ada@example.org", 1700000000, 0));
        git_oid id;
        check(git_tag_create(&id, repository_, name.c_str(), target, tagger, "a tag", 0));
        git_signature_free(tagger);
        git_object_free(target);
    }

    void detach(const std::string& sha) const
    {
        git_oid id;
        check(git_oid_fromstr(&id, sha.c_str()));
        check(git_repository_set_head_detached(repository_, &id));
    }

    void config(const std::string& key, const std::string& value) const
    {
        git_config* config = nullptr;
        check(git_repository_config(&config, repository_));
        check(git_config_set_string(config, key.c_str(), value.c_str()));
        git_config_free(config);
    }

    static void check(int code)
    {
        if (code < 0)
            throw std::runtime_error(git_error_last() != nullptr ? git_error_last()->message : "libgit2");
    }

private:
    std::string path_;
    git_repository* repository_ = nullptr;
};

} // namespace gantry::tests
