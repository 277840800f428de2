#pragma once

#include "base/async.hpp"
#include "base/secret.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where the values of secrets come from. No error here holds a value or a part of one.

namespace gantry::runner {

using Secrets = std::map<std::string, Secret>;

// KEY=value lines. Blank lines and lines that begin with '#' mean nothing, "export " in front is dropped. A value in single
// quotes is taken as it is, one in double quotes with \n \t \r \" \\ \$; both may go on over several lines. A value without
// quotes ends with its line, '#' included; blanks around it are dropped. Throws bad_input "<file>:3: …" for anything else.
Secrets parse_secret_file(std::string_view text, const std::string& file);

// True for [A-Za-z_][A-Za-z0-9_.-]*, at most 128 bytes.
bool is_secret_name(std::string_view name);

// The secrets of this user on this machine: one file of mode 0600 in the configuration folder (0700), which is refused
// with denied when others may read it or it is not ours. Several processes may use it at once.
class SecretStore {
public:
    explicit SecretStore(std::string config_folder);

    std::vector<std::string> names() const;
    std::optional<Secret> find(const std::string& name) const;
    // Throws bad_input for a name that is none, an empty value, or one over 64 KiB, and where all would take more than 4 MiB.
    void set(const std::string& name, const Secret& value);
    // False when there was none.
    bool remove(const std::string& name);
    std::string path() const { return folder_ + "/secrets"; }

private:
    Secrets read() const;
    void write(const Secrets& secrets) const;

    std::string folder_;
};

// Looks a secret up in the files of --secret-file (the last one that has it), in the environment (GANTRY_SECRET_<NAME>: as it
// is, or in capitals with '_' for other characters), in the SecretStore; in this order.
class SecretSource {
public:
    // Reads the files (pipes, too); throws not_found, denied, bad_input.
    SecretSource(const std::vector<std::string>& files, std::string config_folder);
    std::optional<Secret> find(const std::string& name) const;
    // Of the files and the store, for a hint; not of the environment.
    std::vector<std::string> names() const;

private:
    Secrets from_files_;
    SecretStore store_;
};

// Asks on the terminal, without echo; the echo is back on every path, so cancel it where a signal is to end it. Nothing when
// there is no terminal, or the input ends.
awaitable<std::optional<Secret>> prompt_secret(std::string name);
// Standard input to its end, without one line end there.
Secret piped_secret();

} // namespace gantry::runner
