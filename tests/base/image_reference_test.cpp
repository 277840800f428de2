#include "base/image_reference.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

#include <string>

using gantry::Errc;
using gantry::Error;
using gantry::ImageReference;
using gantry::parse_image_reference;

namespace {

const std::string k_digest = "sha256:" + std::string(64, 'a');

} // namespace

TEST_CASE("an image's name is completed the way Docker does", "[base]")
{
    CHECK(parse_image_reference("busybox") == ImageReference{"docker.io", "library/busybox", "latest", ""});
    CHECK(parse_image_reference("busybox:1.36") == ImageReference{"docker.io", "library/busybox", "1.36", ""});
    CHECK(parse_image_reference("me/app") == ImageReference{"docker.io", "me/app", "latest", ""});
    CHECK(parse_image_reference("docker.io/busybox") == ImageReference{"docker.io", "library/busybox", "latest", ""});
    CHECK(parse_image_reference("index.docker.io/me/app:x") == ImageReference{"docker.io", "me/app", "x", ""});
    CHECK(parse_image_reference("localhost/app") == ImageReference{"localhost", "app", "latest", ""});
    CHECK(parse_image_reference("localhost:5000/a/b/c:v") == ImageReference{"localhost:5000", "a/b/c", "v", ""});
    CHECK(parse_image_reference("reg.example.com/app@" + k_digest) == ImageReference{"reg.example.com", "app", "", k_digest});
    CHECK(parse_image_reference("app:1@" + k_digest) == ImageReference{"docker.io", "library/app", "1", k_digest});
    CHECK(parse_image_reference("[2001:db8::1]:5000/app") == ImageReference{"[2001:db8::1]:5000", "app", "latest", ""});
    CHECK(parse_image_reference("a/b.c__d-e---f/g_h:T_1.x-y") == ImageReference{"docker.io", "a/b.c__d-e---f/g_h", "T_1.x-y", ""});
    CHECK(parse_image_reference("foo:5000") == ImageReference{"docker.io", "library/foo", "5000", ""});
}

TEST_CASE("an image of the hub is shown without the hub's name", "[base]")
{
    CHECK(familiar_name("docker.io/library/busybox:1") == "busybox:1");
    CHECK(familiar_name("docker.io/me/app") == "me/app");
    for (const auto* other : {"busybox", "localhost/docker.io/x", "sha256:abc", "docker.io/", "docker.iox/y"})
        CHECK(familiar_name(other) == other);
}

TEST_CASE("all spellings of one image have the same full name", "[base]")
{
    for (const auto* same : {"busybox", "busybox:latest", "docker.io/busybox", "index.docker.io/library/busybox:latest"})
        CHECK(full_name(same) == "docker.io/library/busybox:latest");
    CHECK(full_name("x.example/a:1@" + k_digest) == "x.example/a:1@" + k_digest);
    CHECK(full_name("x.example/a@" + k_digest) == "x.example/a@" + k_digest);
    CHECK(full_name("No Image") == "No Image");
}

TEST_CASE("what is no image is refused with its reason", "[base]")
{
    const auto bad = GENERATE(as<std::string>{}, "", ":", "/", "a/", "/a", "a//b", "App", "a..b", "a___b", "-a", "a-", "a:",
                              "a:-x", "a:b c", "a@", "a@sha256:abc", "a@b", "a b", "a\nb", "http://x/y", "reg.example.com:/a",
                              "reg.example.com:99999999/a", "..x.com/a", "a:b:c", "x.com/");
    CAPTURE(bad);
    try {
        parse_image_reference(bad);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::bad_input);
        CHECK_FALSE(error.hint().empty());
    }
    CHECK_THROWS_AS(parse_image_reference("a:" + std::string(129, 'x')), Error);
    CHECK_THROWS_AS(parse_image_reference(std::string(256, 'x')), Error);
}
