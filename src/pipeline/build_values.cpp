#include "pipeline/build_values.hpp"

#include "pipeline/container_path.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <utility>

namespace gantry::pipeline {

namespace {

bool begins_with_any(std::string_view text, std::initializer_list<std::string_view> begins)
{
    return std::any_of(begins.begin(), begins.end(), [&](std::string_view begin) { return text.starts_with(begin); });
}

bool is_remote(std::string_view context)
{
    return begins_with_any(context, {"https://", "http://", "git://", "git@", "ssh://", "github.com/"});
}

// "file://…": begins with what an address begins with (RFC 3986, 3.1).
bool has_scheme(std::string_view context)
{
    const auto end = context.find("://");
    if (end == 0 || end == std::string_view::npos)
        return false;
    const auto scheme = context.substr(0, end);
    return std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.';
    });
}

// As Docker tells them from other URLs.
bool is_git(std::string_view context)
{
    const auto path = context.substr(0, context.find('#'));
    return begins_with_any(context, {"git://", "github.com/"}) || path.ends_with(".git");
}

bool is_archive(std::string_view context)
{
    constexpr std::string_view k_ends[] = {".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"};
    const auto name = to_lower(context);
    return std::any_of(std::begin(k_ends), std::end(k_ends), [&](std::string_view end) { return name.ends_with(end); });
}

// Below the workspace, whatever dots it has.
BuildPlace in_workspace(std::string_view written, std::string_view from)
{
    BuildPlace place;
    place.path = normalised_path(written.starts_with('/') ? std::string(written) : fmt::format("{}/{}", from, written));
    if (is_in_folder(place.path, k_workspace_folder))
        return place;
    place.problem = fmt::format("'{}' is not in the workspace", terminal_safe(written));
    place.hint = "it is relative to the root of the repository";
    return place;
}

BuildPlace refused(std::string problem, std::string hint)
{
    BuildPlace place;
    place.problem = std::move(problem);
    place.hint = std::move(hint);
    return place;
}

bool is_build_network(std::string_view text) { return text == "default" || text == "none" || text == "host"; }

std::optional<ImageReference> find_image_in(std::string_view text)
{
    try {
        return parse_image_reference(std::string(trim(text)));
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool is_image(std::string_view text) { return find_image_in(text).has_value(); }

bool is_tag(std::string_view text)
{
    const auto image = find_image_in(text);
    return image && image->digest.empty();
}

} // namespace

const ValueRule k_build_network_rule{is_build_network, "a network for a build", "one of: default, none, host"};
const ValueRule k_tag_rule{is_tag, "a name that an image can have", "write name:tag or registry.example/name:tag, the name in small letters"};
const ValueRule k_cache_from_rule{is_image, "an image to take layers from", "only names of images: registry/name:tag"};

bool names_registry(std::string_view image) { return image.find('/') != std::string_view::npos; }

bool is_build_address(std::string_view context) { return is_remote(context) || has_scheme(context); }

BuildPlace build_context(std::string_view written)
{
    // It would be the engine's key that signs in, which is not the pipeline's to use.
    if (begins_with_any(written, {"git@", "ssh://"}))
        return refused("repositories behind SSH are not for the engine to clone",
                       "use its https:// address, or get it in an earlier step and name its folder");
    if (is_remote(written) && !is_git(written))
        return refused(fmt::format("'{}' is no git repository", terminal_safe(written)),
                       "end it in .git, or get the context in an earlier step and name its folder");
    if (!is_remote(written) && has_scheme(written))
        return refused(fmt::format("'{}' is no address that an engine clones from", terminal_safe(written)),
                       "write https://HOST/NAME.git, http:// or git://, in small letters; or name a folder of the repository");
    if (is_remote(written))
        return {BuildPlace::Kind::remote, std::string(written), {}, {}};
    auto place = in_workspace(written, k_workspace_folder);
    if (is_archive(place.path))
        place.kind = BuildPlace::Kind::archive;
    return place;
}

BuildPlace build_dockerfile(std::string_view written, std::string_view context)
{
    auto place = in_workspace(written, context);
    if (!place.problem.empty())
        place.hint = "it is relative to the context, and may lie outside of it in the repository";
    return place;
}

BuildPlace sent_dockerfile(std::string_view written)
{
    if (normalised_path(fmt::format("/{}", written)).empty())
        return refused(fmt::format("'{}' is not in the context", terminal_safe(written)),
                       "choose one of the archive, or of the repository's FOLDER: URL#REF:FOLDER");
    BuildPlace place;
    place.path = written;
    return place;
}

} // namespace gantry::pipeline
