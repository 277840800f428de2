#include "engine/docker/reference.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

#include <string>

using gantry::Errc;
using gantry::Error;
using gantry::engine::docker::parse_reference;
using gantry::engine::docker::Reference;

namespace {

const std::string k_digest = "sha256:" + std::string(64, 'a');

} // namespace

TEST_CASE("an image's name is completed the way Docker does", "[engine]")
{
    CHECK(parse_reference("busybox") == Reference{"docker.io", "library/busybox", "latest", ""});
    CHECK(parse_reference("busybox:1.36") == Reference{"docker.io", "library/busybox", "1.36", ""});
    CHECK(parse_reference("me/app") == Reference{"docker.io", "me/app", "latest", ""});
    CHECK(parse_reference("docker.io/busybox") == Reference{"docker.io", "library/busybox", "latest", ""});
    CHECK(parse_reference("index.docker.io/me/app:x") == Reference{"docker.io", "me/app", "x", ""});
    CHECK(parse_reference("localhost/app") == Reference{"localhost", "app", "latest", ""});
    CHECK(parse_reference("localhost:5000/a/b/c:v") == Reference{"localhost:5000", "a/b/c", "v", ""});
    CHECK(parse_reference("reg.example.com/app@" + k_digest) == Reference{"reg.example.com", "app", "", k_digest});
    CHECK(parse_reference("app:1@" + k_digest) == Reference{"docker.io", "library/app", "1", k_digest});
    CHECK(parse_reference("[2001:db8::1]:5000/app") == Reference{"[2001:db8::1]:5000", "app", "latest", ""});
    CHECK(parse_reference("a/b.c__d-e---f/g_h:T_1.x-y") == Reference{"docker.io", "a/b.c__d-e---f/g_h", "T_1.x-y", ""});
    CHECK(parse_reference("foo:5000") == Reference{"docker.io", "library/foo", "5000", ""});
}

TEST_CASE("what is no image is refused with its reason", "[engine]")
{
    const auto bad = GENERATE(as<std::string>{}, "", ":", "/", "a/", "/a", "a//b", "App", "a..b", "a___b", "-a", "a-", "a:",
                              "a:-x", "a:b c", "a@", "a@sha256:abc", "a@b", "a b", "a\nb", "http://x/y", "reg.example.com:/a",
                              "reg.example.com:99999999/a", "..x.com/a", "a:b:c", "x.com/");
    CAPTURE(bad);
    try {
        parse_reference(bad);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::bad_input);
        CHECK_FALSE(error.hint().empty());
    }
    CHECK_THROWS_AS(parse_reference("a:" + std::string(129, 'x')), Error);
    CHECK_THROWS_AS(parse_reference(std::string(256, 'x')), Error);
}
