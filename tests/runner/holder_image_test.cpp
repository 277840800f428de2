#include "engine/fake/fake.hpp"
#include "runner/holder_image.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::test;

namespace {

struct HolderFixture {
    bool have()
    {
        const auto id = run_to_end(loop, clock, runner::holder_image(engine));
        return id && run_to_end(loop, clock, engine.find_image(*id));
    }
    int imports() const
    {
        const auto& calls = engine.calls();
        return static_cast<int>(std::count_if(calls.begin(), calls.end(), [](const auto& call) { return call.operation == "import_image"; }));
    }

    asio::io_context loop;
    ManualClock clock;
    engine::FakeEngine engine{loop.get_executor(), clock};
};

} // namespace

TEST_CASE("the holder's image is made once", "[holder]")
{
    HolderFixture fixture;
    fixture.engine.only_images({});

    CHECK(fixture.have());
    CHECK(fixture.have());

    CHECK(fixture.imports() == 1);
}

TEST_CASE("an image that only has the holder's name is not taken for it", "[holder]")
{
    HolderFixture fixture;
    fixture.engine.only_images({"other:1"});
    run_to_end(fixture.loop, fixture.clock, fixture.engine.tag_image("other:1", runner::k_holder_image));

    CHECK(fixture.have());
    CHECK(fixture.imports() == 1);
    run_to_end(fixture.loop, fixture.clock, fixture.engine.tag_image("other:1", runner::k_holder_image));
    CHECK(fixture.have());
    CHECK(fixture.imports() == 2);
}
