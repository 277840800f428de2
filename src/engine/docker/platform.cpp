#include "engine/docker/platform.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace gantry::engine::docker {

namespace {

// Other names of architectures that containerd knows.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> k_architectures{{
    {"x86_64", "amd64"},
    {"x86-64", "amd64"},
    {"aarch64", "arm64"},
    {"i386", "386"},
    {"armhf", "arm"},
    {"armel", "arm"},
}};

constexpr std::array<std::string_view, 4> k_systems{"linux", "windows", "darwin", "freebsd"};

std::string normal_architecture(const std::string& name)
{
    const auto known = std::find_if(k_architectures.begin(), k_architectures.end(), [&](const auto& row) { return row.first == name; });
    return known == k_architectures.end() ? name : std::string(known->second);
}

bool agree(const std::string& asked, const std::string& has)
{
    return asked.empty() || has.empty() || asked == has;
}

} // namespace

bool is_of_platform(const ImageInfo& image, const std::string& asked)
{
    const auto parts = split(to_lower(asked), '/');
    const bool begins_with_system =
        parts.size() > 1 || std::find(k_systems.begin(), k_systems.end(), parts.front()) != k_systems.end();
    const auto system = begins_with_system ? parts.front() : std::string();
    auto architecture = begins_with_system ? std::string() : parts.front();
    if (parts.size() > 1)
        architecture = parts[1];
    return agree(system, to_lower(image.os)) &&
           agree(normal_architecture(architecture), normal_architecture(to_lower(image.architecture)));
}

} // namespace gantry::engine::docker
