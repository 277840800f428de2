#include "pipeline/host_name.hpp"

#include <algorithm>
#include <cctype>

namespace gantry::pipeline {

bool is_host_name(std::string_view text)
{
    constexpr std::size_t k_limit_bytes = 64;
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
    return !text.empty() && text.size() <= k_limit_bytes && text.front() != '-' && std::ranges::all_of(text, fits);
}

} // namespace gantry::pipeline
