#include "engine/docker_support.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;

TEST_CASE("a container's output and exit code come back, and nothing stays", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);

    const auto ran = real.run(real.whole_life(real.shell("hi", "echo hi; echo no >&2; printf end; exit 7")));

    CHECK(ran.out == "hi\nend");
    CHECK(ran.err == "no\n");
    CHECK(ran.exit.exit_code == 7);
    CHECK_FALSE(ran.exit.oom_killed);
    CHECK(real.run(real.engine->list(real.labels())).empty());
}

TEST_CASE("the probe says what the daemon is and where", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);

    CHECK_FALSE(real.info.version.empty());
    CHECK_FALSE(real.info.id.empty());
    CHECK_FALSE(real.info.root_dir.empty());
    CHECK(real.info.os == "linux");
    CHECK(real.info.cpus > 0);
    CHECK(real.info.memory_bytes > 0);
    CHECK(real.info.api_version.rfind("1.", 0) == 0);
}

TEST_CASE("an image that is not there is no error, until a container needs it", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);

    CHECK_FALSE(real.run(real.engine->find_image("gantry-test-none:1")));
    auto spec = real.shell("none", "true");
    spec.image = "gantry-test-none:1";
    try {
        real.run(real.engine->create_container(spec));
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == Errc::not_found);
        CHECK_THAT(error.what(), ContainsSubstring("gantry-test-none:1"));
    }
}
