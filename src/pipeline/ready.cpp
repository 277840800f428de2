#include "pipeline/ready.hpp"

#include "base/format.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace gantry::pipeline {

ReadyPage parse_ready_page(std::string_view written)
{
    ReadyPage page;
    auto rest = written;
    if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
        rest.remove_prefix(std::min(rest.find_first_of(":/"), rest.size()));
    }
    if (rest.starts_with(':'))
        rest.remove_prefix(1);
    if (!rest.starts_with('/')) {
        const auto [stop, status] = std::from_chars(rest.data(), rest.data() + rest.size(), page.port);
        if (status != std::errc() || page.port == 0) {
            page.problem = fmt::format("'{}' is not a port and a path", terminal_safe(written));
            return page;
        }
        rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    }
    page.path = rest.empty() ? "/" : std::string(rest);
    const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
    if (page.path[0] != '/' || !std::all_of(page.path.begin(), page.path.end(), plain))
        page.problem = fmt::format("'{}' is not a path of a URL", terminal_safe(page.path));
    return page;
}

std::string ready_log_problem(const std::string& pattern)
{
    const RE2 compiled(pattern, RE2::Quiet);
    return compiled.ok() ? ""
                         : fmt::format("'{}' is no regular expression: {}", terminal_safe(pattern), terminal_safe(compiled.error()));
}

} // namespace gantry::pipeline
