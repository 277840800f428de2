#include "engine/docker/platform.hpp"
#include "support/catch.hpp"

using gantry::engine::ImageInfo;
using gantry::engine::docker::is_of_platform;

TEST_CASE("an image is of the platforms that name its system and architecture", "[engine]")
{
    ImageInfo image;
    image.os = "linux";
    image.architecture = "amd64";
    for (const auto* asked : {"linux/amd64", "linux/x86_64", "linux/amd64/v2", "Linux/AMD64", "amd64", "x86-64", "linux"}) {
        INFO(asked);
        CHECK(is_of_platform(image, asked));
    }
    for (const auto* asked : {"linux/arm64", "linux/386", "arm64", "aarch64", "windows/amd64", "windows"}) {
        INFO(asked);
        CHECK_FALSE(is_of_platform(image, asked));
    }
    image.architecture = "arm";
    for (const auto* asked : {"linux/arm/v7", "linux/arm", "armhf", "linux/armel"}) {
        INFO(asked);
        CHECK(is_of_platform(image, asked));
    }
}

TEST_CASE("an image that does not tell its platform is taken as right", "[engine]")
{
    CHECK(is_of_platform({}, "linux/arm64"));
}
