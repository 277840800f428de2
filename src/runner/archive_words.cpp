#include "runner/archive_words.hpp"

namespace gantry::runner {

std::string below_top(std::string_view name)
{
    while (name.starts_with("./"))
        name.remove_prefix(2);
    const auto slash = name.find('/');
    auto rest = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
    while (rest.ends_with('/'))
        rest.remove_suffix(1);
    return std::string(rest);
}

} // namespace gantry::runner
