#include "app/view/view.hpp"

#include "app/view/style.hpp"
#include "app/view/views.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"

#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gantry::app {

namespace {

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

// The first of these that is set decides, as in setlocale(3).
bool locale_is_utf8()
{
    for (const auto* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const auto value = to_lower(environment(name));
        if (!value.empty())
            return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

struct ViewRow {
    bool (*fits)(const ViewOptions&);
    std::unique_ptr<View> (*make)(const ViewOptions&, const ViewWorld&);
};

constexpr ViewRow k_views[] = {
    {[](const ViewOptions& options) { return options.json; }, make_json_view},
    {[](const ViewOptions& options) { return options.live; }, make_live_view},
    {[](const ViewOptions&) { return true; }, make_plain_view},
};

} // namespace

TerminalSize terminal_size()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return {};
    return {size.ws_col, size.ws_row == 0 ? 24 : size.ws_row};
}

ViewOptions detect_view(bool json, bool quiet, bool timestamps)
{
    ViewOptions options;
    options.json = json;
    options.quiet = quiet;
    options.timestamps = timestamps;
    const bool out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
    const bool both = out_is_terminal && ::isatty(STDERR_FILENO) == 1;
    const auto term = environment("TERM");
    const bool capable = both && !term.empty() && term != "dumb";
    const auto forced = environment("CLICOLOR_FORCE");
    options.safe = out_is_terminal;
    options.colours = environment("NO_COLOR").empty() && (capable || (!forced.empty() && forced != "0"));
    const auto ci = to_lower(environment("CI"));
    const bool in_ci = !ci.empty() && ci != "false" && ci != "0";
    options.live = capable && !json && !quiet && !timestamps && !in_ci;
    options.unicode = locale_is_utf8();
    return options;
}

std::string as_locale_shows(std::string text)
{
    return Style{false, locale_is_utf8()}.shown(std::move(text));
}

StandardStreams::StandardStreams() : out(make_fd_output(STDOUT_FILENO)), err(make_fd_output(STDERR_FILENO)) {}

std::unique_ptr<View> make_view(const ViewOptions& options, const StandardStreams& streams)
{
    const ViewWorld world{*streams.out, *streams.err, system_clock(), terminal_size};
    for (const auto& row : k_views)
        if (row.fits(options))
            return row.make(options, world);
    return nullptr;
}

} // namespace gantry::app
