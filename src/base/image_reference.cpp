#include "base/image_reference.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace gantry {

namespace {

constexpr std::size_t k_name_limit = 255;
constexpr std::size_t k_tag_limit = 128;

bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// Runs of [a-z0-9], between them '.', '_', '__' or any number of '-'.
bool is_path_component(std::string_view text)
{
    if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back()))
        return false;
    for (std::size_t at = 0; at < text.size();) {
        if (is_lower_or_digit(text[at])) {
            ++at;
            continue;
        }
        const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_lower_or_digit);
        const auto separator = text.substr(at, static_cast<std::size_t>(end - text.begin()) - at);
        const bool good = separator == "." || separator == "_" || separator == "__" ||
                          separator.find_first_not_of('-') == std::string_view::npos;
        if (!good)
            return false;
        at += separator.size();
    }
    return true;
}

bool is_registry(std::string_view text)
{
    const auto bracket = text.rfind(']');
    auto colon = text.rfind(':');
    if (colon != std::string_view::npos && bracket != std::string_view::npos && colon < bracket)
        colon = std::string_view::npos;
    const auto host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
        const auto port = text.substr(colon + 1);
        if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos)
            return false;
    }
    if (!host.empty() && host.front() == '[')
        return host.back() == ']' && host.find_first_not_of("0123456789abcdefABCDEF:[]") == std::string_view::npos;
    const auto is_host_character = [](char c) {
        return is_lower_or_digit(c) || is_upper(c) || c == '-' || c == '.';
    };
    return !host.empty() && host.front() != '-' && host.front() != '.' && host.back() != '-' && host.back() != '.' &&
           host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), is_host_character);
}

bool is_tag(std::string_view text)
{
    const auto is_word = [](char c) { return is_lower_or_digit(c) || is_upper(c) || c == '_'; };
    return !text.empty() && text.size() <= k_tag_limit && is_word(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_digest(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return false;
    const auto algorithm = text.substr(0, colon);
    const auto hex = text.substr(colon + 1);
    if (!std::all_of(hex.begin(), hex.end(), is_hex))
        return false;
    if (algorithm == "sha256")
        return hex.size() == 64;
    if (algorithm == "sha512")
        return hex.size() == 128;
    return hex.size() >= 32 && algorithm.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+._-") == std::string_view::npos;
}

// The first part of a name is a registry if it looks like a host, and not like a folder.
bool looks_like_registry(std::string_view text)
{
    return text.find_first_of(".:") != std::string_view::npos || text == "localhost" ||
           std::any_of(text.begin(), text.end(), is_upper);
}

} // namespace

ImageReference parse_image_reference(const std::string& image)
{
    const auto bad = [&](std::string_view why) {
        return Error(Errc::bad_input, fmt::format("'{}' is not an image: {}", terminal_safe(image), why),
                     "write name, name:tag, registry/name:tag or name@sha256:…");
    };
    ImageReference reference;
    auto rest = std::string_view(image);
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        reference.digest = rest.substr(at + 1);
        rest = rest.substr(0, at);
        if (!is_digest(reference.digest))
            throw bad("what follows '@' is no digest");
    }
    const auto slash = rest.rfind('/');
    const auto colon = rest.rfind(':');
    if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
        reference.tag = rest.substr(colon + 1);
        rest = rest.substr(0, colon);
        if (reference.tag.empty())
            throw bad("nothing follows ':'").with_hint("an expression there has no value: ${{ default(tag, 'dev') }} always has one");
        if (!is_tag(reference.tag))
            throw bad("what follows ':' is no tag");
    }
    if (reference.tag.empty() && reference.digest.empty())
        reference.tag = "latest";

    reference.registry = "docker.io";
    const auto first_slash = rest.find('/');
    if (first_slash != std::string_view::npos && looks_like_registry(rest.substr(0, first_slash))) {
        reference.registry = rest.substr(0, first_slash);
        rest = rest.substr(first_slash + 1);
        if (!is_registry(reference.registry))
            throw bad("its registry is no host");
        if (reference.registry == "index.docker.io" || reference.registry == "registry-1.docker.io")
            reference.registry = "docker.io";
    }
    if (rest.empty())
        throw bad("it has no name");
    if (std::any_of(rest.begin(), rest.end(), is_upper))
        throw bad("its name must be lower case");
    for (const auto& component : split(rest, '/'))
        if (!is_path_component(component))
            throw bad("its name may contain only a-z, 0-9 and single . _ - between them");
    reference.repository = rest;
    if (reference.registry == "docker.io" && reference.repository.find('/') == std::string::npos)
        reference.repository = "library/" + reference.repository;
    if (reference.name().size() > k_name_limit)
        throw bad("its name is longer than 255 characters");
    return reference;
}

std::string familiar_name(const std::string& image)
{
    for (const std::string_view prefix : {"docker.io/library/", "docker.io/"})
        if (image.starts_with(prefix) && image.size() > prefix.size())
            return image.substr(prefix.size());
    return image;
}

std::string full_name(const std::string& image)
{
    try {
        const auto reference = parse_image_reference(image);
        return reference.name() + (reference.tag.empty() ? "" : ":" + reference.tag) +
               (reference.digest.empty() ? "" : "@" + reference.digest);
    } catch (const Error&) {
        return image;
    }
}

} // namespace gantry
