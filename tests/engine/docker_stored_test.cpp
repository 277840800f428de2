#include "engine/docker/answers.hpp"
#include "engine/docker/own_labels.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <limits>

using namespace gantry::engine;
using namespace gantry::engine::docker;

namespace {

const Labels k_ours{{"gantry.instance", "1f2e"}, {"gantry.run", "17"}};

// The newest first, as the daemon lists them.
Json history_of(const std::vector<std::string>& instructions)
{
    auto history = Json::array();
    for (const auto& instruction : instructions)
        history.push_back({{"CreatedBy", instruction}});
    return history;
}

} // namespace

TEST_CASE("what a build was asked to set is an image's own, also where its base has the same", "[engine]")
{
    const auto history = history_of({"/bin/sh -c #(nop)  LABEL gantry.run=17", "/bin/sh -c #(nop)  LABEL gantry.instance=1f2e",
                                     "/bin/sh -c make", "/bin/sh -c #(nop) ADD file:1 in / "});
    CHECK(own_labels(k_ours, history, k_ours) == k_ours);
    CHECK(own_labels(k_ours, history, std::nullopt) == k_ours);
}

TEST_CASE("labels that a user's own come behind are an image's own", "[engine]")
{
    const auto history = history_of({"/bin/sh -c #(nop)  LABEL org.opencontainers.image.title=shop",
                                     "LABEL gantry.run=17", "LABEL gantry.instance=1f2e", "RUN make"});
    CHECK(own_labels(k_ours, history, std::nullopt) == k_ours);
}

TEST_CASE("what somebody built or committed on an image of ours has none of our labels", "[engine]")
{
    const auto built = history_of({"/bin/sh -c #(nop)  CMD [\"shop\"]", "/bin/sh -c #(nop)  LABEL gantry.run=17",
                                   "/bin/sh -c #(nop)  LABEL gantry.instance=1f2e", "/bin/sh -c make"});
    CHECK(own_labels(k_ours, built, k_ours).empty());
    CHECK(own_labels(k_ours, built, std::nullopt).empty()); // a builder that tells of no parent
    CHECK(own_labels(k_ours, Json(), std::nullopt).empty());
}

TEST_CASE("labels that a base does not have are an image's own", "[engine]")
{
    const auto committed = history_of({"sh", "/bin/sh -c #(nop)  CMD [\"sh\"]", "/bin/sh -c #(nop) ADD file:1 in / "});
    CHECK(own_labels(k_ours, committed, Labels{{"vendor", "x"}}) == k_ours);
    CHECK(own_labels(k_ours, history_of({""}), std::nullopt) == k_ours); // imported: nothing below it
    const Labels other_run{{"gantry.instance", "1f2e"}, {"gantry.run", "3"}};
    CHECK(own_labels(k_ours, committed, other_run) == Labels{{"gantry.run", "17"}});
}

TEST_CASE("an image that says nothing of when it was made, or nonsense, is of no known time", "[engine]")
{
    const auto [created, seconds] = GENERATE(table<std::int64_t, std::int64_t>(
        {{-62135596800, 0}, {std::numeric_limits<std::int64_t>::max(), 0}, {1700000000, 1700000000}}));
    const auto images = images_of(Json::array({{{"Id", "sha256:1"}, {"Created", created}}}));
    REQUIRE(images.size() == 1);
    CHECK(images[0].created.time_since_epoch() == std::chrono::seconds(seconds));
}

TEST_CASE("volumes that the daemon does not measure are listed all the same, and whether a container has them", "[engine]")
{
    const auto usage = Json::parse(R"({"Containers": [{"Names": ["/c"], "Mounts": [{"Name": "overlay"}]}],
                                       "Volumes": [{"Name": "plain", "UsageData": {"Size": 7, "RefCount": 0}}]})");
    const auto volumes = Json::parse(R"({"Volumes": [{"Name": "overlay", "Labels": {"a": "b"}}, {"Name": "plain"}]})");
    const auto all = stored_objects({usage, Json::array(), Json::array(), volumes});
    REQUIRE(all.size() == 3);
    CHECK(all[1].object.name == "overlay");
    CHECK(all[1].object.labels == Labels{{"a", "b"}});
    CHECK(all[1].in_use);
    CHECK(all[2].size_bytes == 7);
    CHECK_FALSE(all[2].in_use);
}

TEST_CASE("a network is in use while a container in it runs", "[engine]")
{
    const auto running = Json::parse(R"([{"Names": ["/c"], "NetworkSettings": {"Networks": {"joined": {}}}}, {"Names": ["/alone"]}])");
    const auto networks = Json::parse(R"([{"Name": "idle"}, {"Name": "joined"}])");
    const auto all = stored_objects({Json::object(), running, networks, Json::object()});
    REQUIRE(all.size() == 2);
    CHECK_FALSE(all[0].in_use);
    CHECK(all[1].in_use);
}
