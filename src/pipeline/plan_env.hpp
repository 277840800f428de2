#pragma once

#include "pipeline/definition.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::pipeline {

// Variables of several levels: a later set() replaces the value and keeps the place.
class VariableMerge {
public:
    VariableMerge() = default;
    // These win over everything that is set later.
    explicit VariableMerge(const EnvMap& fixed);

    void set(const std::string& name, Text value);
    // Null: there is none.
    const Text* find(const std::string& name) const;
    const EnvMap& entries() const { return entries_; }

private:
    EnvMap entries_;
    std::unordered_map<std::string, std::size_t> index_;
    std::size_t fixed_ = 0;
};

// An env_file as Compose reads it: NAME=value or NAME: value lines, "export" before it, # comments, '…' as it is and "…" with
// \n, \t, \", \\; both may go on over lines. Nothing is expanded. `problem` gets the first line that is no variable.
// With `templates` the values are templates of Compose: every dollar sign in '…' and behind a backslash is doubled.
// Of `raw` files each line is NAME=value with the value as it stands, and those that begin with # are comments.
struct EnvFileProblem {
    int line = 0; // 0: none
    std::string message;
};
enum class EnvFileValues { plain, templates, raw };
struct EnvFileVariable {
    std::string name, value;
    int line = 0;
};
std::vector<EnvFileVariable> parse_env_file(std::string_view text, EnvFileProblem& problem,
                                            EnvFileValues values = EnvFileValues::plain);

// What a file of the repository says, or why it says nothing.
struct EnvFile {
    struct Problem {
        std::string code, message, hint; // all empty: there is none
    };
    std::vector<EnvFileVariable> variables; // before the line that is wrong
    Problem problem;
};
// Of one that is not required and not there: nothing, which is no problem.
EnvFile read_env_file(const ReadFile& read_file, const EnvFileEntry& entry);

} // namespace gantry::pipeline
