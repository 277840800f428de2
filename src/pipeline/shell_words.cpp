#include "pipeline/shell_words.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace gantry::pipeline {

namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_shell(std::string_view name)
{
    constexpr std::array<std::string_view, 6> k_shells = {"sh", "bash", "dash", "ash", "zsh", "ksh"};
    return std::find(k_shells.begin(), k_shells.end(), name) != k_shells.end();
}

// Where its options begin; 0 for what is no shell that is known.
std::size_t options_begin(const std::vector<std::string>& words)
{
    if (!words.empty() && is_shell(base_name(words[0])))
        return 1;
    const bool is_busybox = words.size() > 1 && base_name(words[0]) == "busybox" && is_shell(words[1]);
    return is_busybox ? 2 : 0;
}

bool takes_a_word(std::string_view option)
{
    if (option.starts_with("--"))
        return option == "--rcfile" || option == "--init-file";
    return option.size() > 1 && (option.back() == 'o' || option.back() == 'O');
}

} // namespace

std::vector<std::string> with_script_option(std::vector<std::string> shell)
{
    const std::size_t begin = options_begin(shell);
    if (begin == 0)
        return shell;
    for (std::size_t i = begin; i < shell.size(); ++i) {
        const std::string_view word = shell[i];
        const bool is_option = word.size() > 1 && (word[0] == '-' || word[0] == '+');
        const bool takes_script = word[0] == '-' && !word.starts_with("--") && word.find('c') != std::string_view::npos;
        if (!is_option || word == "--" || takes_script)
            return shell;
        if (takes_a_word(word))
            ++i;
    }
    shell.emplace_back(shell.size() == begin ? "-ec" : "-c");
    return shell;
}

} // namespace gantry::pipeline
