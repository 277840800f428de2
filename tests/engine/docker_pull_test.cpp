#include "engine/docker/credentials.hpp"
#include "engine/docker/pull.hpp"
#include "engine/docker_scripted_daemon.hpp"

#include <fstream>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

const std::string k_image_answer = R"({"Id":"sha256:1","Config":{}})";

// A daemon whose pulls answer one after the other as given; the last one goes on for ever.
struct PullRegistry {
    explicit PullRegistry(std::vector<Says> answers, std::chrono::milliseconds silence_limit = std::chrono::minutes(1))
        : pulls(std::move(answers)), daemon(loop, [this](const Asked& asked) { return answer(asked); })
    {
        auto options = daemon.options();
        options.config_dir = config_dir;
        options.silence_limit = silence_limit;
        engine = make_docker(loop.pool, options);
    }

    Says answer(const Asked& asked)
    {
        if (asked.line == "GET /version")
            return ScriptedDaemon::version(version);
        if (asked.line.find("/images/json?") != std::string::npos)
            return ScriptedDaemon::json(200, list_answer);
        if (asked.line.find("/images/create") == std::string::npos)
            return ScriptedDaemon::json(200, image_answer);
        const auto says = pulls[std::min(next, pulls.size() - 1)];
        ++next;
        return says;
    }

    Error failure(const std::string& image = "busybox")
    {
        try {
            loop.run(engine->pull_image(image, "", nullptr));
        } catch (const Error& error) {
            return error;
        }
        return Error(Errc::internal, "no error");
    }

    std::vector<Says> pulls;
    std::size_t next = 0;
    std::string version = "1.41", config_dir, image_answer = k_image_answer, list_answer = "[]";
    RealLoop loop;
    ScriptedDaemon daemon;
    std::unique_ptr<Engine> engine;
};

const std::string k_good_pull =
    R"({"status":"Pulling from library/busybox","id":"latest"})" "\r\n"
    R"({"status":"Pulling fs layer","progressDetail":{},"id":"a"})" "\r\n"
    R"({"status":"Downloading","progressDetail":{"current":40,"total":100},"id":"a"})" "\r\n"
    R"({"status":"Pull complete","progressDetail":{},"id":"a"})" "\r\n"
    R"({"status":"Already exists","progressDetail":{},"id":"b"})" "\r\n";

} // namespace

TEST_CASE("a pull asks for the whole name and reports its progress", "[engine]")
{
    PullRegistry registry({messages(k_good_pull)});
    PullProgress last;
    const auto image = registry.loop.run(
        registry.engine->pull_image("busybox:1.36", "linux/arm64", [&last](const PullProgress& progress) { last = progress; }));

    CHECK(image.id == "sha256:1");
    CHECK(registry.daemon.count("/images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=1.36&platform=linux%2Farm64") == 1);
    CHECK(last.image == "busybox:1.36");
    CHECK(last.layers_total == 2);
    CHECK(last.layers_done == 2);
    CHECK(last.bytes_total == 100);
    CHECK(last.bytes_done == 100);
}

TEST_CASE("an image of another platform is not what was asked for", "[engine]")
{
    PullRegistry registry({messages(k_good_pull)});
    registry.image_answer = R"({"Id":"sha256:1","Config":{},"Os":"linux","Architecture":"amd64"})";
    const auto pull = [&](const char* platform) { return registry.loop.run(registry.engine->pull_image("busybox", platform, nullptr)); };

    CHECK(pull("linux/amd64").id == "sha256:1");
    CHECK_THROWS_WITH(pull("linux/arm64"), ContainsSubstring("busybox has no variant for linux/arm64: its registry gave one for linux/amd64"));
}

TEST_CASE("an engine that keeps variants side by side is asked for the one that was pulled", "[engine]")
{
    PullRegistry registry({messages(k_good_pull)});
    registry.version = "1.47";
    registry.image_answer = R"({"Id":"sha256:1","Config":{},"Os":"linux","Architecture":"amd64"})";
    registry.list_answer = R"([{"Id":"sha256:1","Manifests":[
        {"Kind":"image","Available":true,"ImageData":{"Platform":{"os":"linux","architecture":"amd64"}}},
        {"Kind":"image","Available":true,"ImageData":{"Platform":{"os":"linux","architecture":"arm64","variant":"v8"}}},
        {"Kind":"image","Available":false,"ImageData":{"Platform":{"os":"linux","architecture":"s390x"}}},
        {"Kind":"attestation","Available":true}]}])";
    const auto pull = [&](const char* platform) {
        return registry.loop.run(registry.engine->pull_image("busybox", platform, nullptr));
    };

    CHECK(pull("linux/arm64").id == "sha256:1");
    CHECK(registry.daemon.count(
              "/images/json?manifests=1&filters=%7B%22reference%22%3A%5B%22busybox%3Alatest%22%5D%7D") == 1);
    CHECK_THROWS_WITH(pull("linux/s390x"), ContainsSubstring("busybox has no variant for linux/s390x"));
}

TEST_CASE("a registry that is down is asked five times", "[engine]")
{
    PullRegistry down({ScriptedDaemon::json(500, R"({"message":"Get \"https://x/v2/\": dial tcp: lookup x: no such host"})")});
    const auto error = down.failure();
    CHECK(error.code() == Errc::unavailable);
    CHECK_THAT(error.what(), ContainsSubstring("after 5 tries: Get \"https://x/v2/\""));
    CHECK(down.daemon.count("/images/create") == 5);
}

TEST_CASE("a registry that comes back, or an engine that does, is enough", "[engine]")
{
    PullRegistry registry({messages(R"({"errorDetail":{"message":"received unexpected HTTP status: 503 Service Unavailable"}})" "\n"),
                       ScriptedDaemon::json(429, R"({"message":"slow down"})"), Says{"", true}, messages(k_good_pull)});
    CHECK(registry.failure().what() == std::string("no error"));
    CHECK(registry.daemon.count("/images/create") == 4);
}

TEST_CASE("an image that cannot be had is asked for once, and says why", "[engine]")
{
    const auto [answer, code] = GENERATE(table<Says, Errc>({
        {ScriptedDaemon::json(404, R"({"message":"manifest for busybox:x not found: manifest unknown: manifest unknown"})"), Errc::not_found},
        {ScriptedDaemon::json(404, R"({"message":"pull access denied for x, repository does not exist or may require 'docker login'"})"), Errc::denied},
        {messages(R"({"errorDetail":{"message":"unauthorized: authentication required"},"error":"unauthorized"})" "\n"), Errc::denied},
        {messages(R"({"errorDetail":{"message":"write /var/lib/x: no space left on device"}})" "\n"), Errc::no_space},
        {messages(R"({"errorDetail":{"message":"no matching manifest for linux/arm64 in the manifest list entries"}})" "\n"), Errc::not_found},
    }));
    PullRegistry registry({answer});
    CHECK(registry.failure().code() == code);
    CHECK(registry.daemon.count("/images/create") == 1);
}

TEST_CASE("a pull that says nothing any more is given up, and names the registry", "[engine]")
{
    PullRegistry registry({Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\r\n\r\n"}},
                          std::chrono::milliseconds(50));
    const auto error = registry.failure("registry.example/a:1");
    CHECK(error.code() == Errc::timed_out);
    CHECK_THAT(error.what(), ContainsSubstring("the registry registry.example: no answer within 50ms"));
    CHECK_THAT(error.hint(), ContainsSubstring("engine's host"));
}

TEST_CASE("what is no image name never leaves for the engine", "[engine]")
{
    PullRegistry registry({messages(k_good_pull)});
    CHECK(registry.failure("Not/An:image:name").code() == Errc::bad_input);
    CHECK(registry.daemon.count("/images/create") == 0);
}

TEST_CASE("equal pulls that overlap are one", "[engine]")
{
    PullRegistry registry({messages(k_good_pull)});
    int reports = 0;
    const auto pull = [&](const std::string& image) -> awaitable<void> {
        co_await registry.engine->pull_image(image, "", [&reports](const PullProgress&) { ++reports; });
    };
    registry.loop.run(both(both(pull("busybox"), pull("busybox")), both(pull("busybox"), pull("other"))));
    CHECK(registry.daemon.count("/images/create") == 2);
    CHECK(reports >= 4);
}

TEST_CASE("a pull goes on when the one who began it is cancelled", "[engine]")
{
    PullRegistry registry({Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, messages(k_good_pull)});
    std::optional<ImageInfo> second;
    const auto follower = [&]() -> awaitable<void> { second = co_await registry.engine->pull_image("busybox", "", nullptr); };
    const auto leader = [&]() -> awaitable<void> { co_await registry.engine->pull_image("busybox", "", nullptr); };
    const auto cancelled = [&]() -> awaitable<void> {
        try {
            co_await with_deadline(std::chrono::milliseconds(100), "pull", leader());
        } catch (const Error& error) {
            CHECK(error.code() == Errc::timed_out);
        }
    };
    registry.loop.run(both(cancelled(), follower()));
    REQUIRE(second);
    CHECK(second->id == "sha256:1");
    CHECK(registry.daemon.count("/images/create") == 2);
}

TEST_CASE("credentials are found by the registry's host, however it is written", "[engine]")
{
    const auto config = docker::Json::parse(R"({
        "auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"}, "https://reg.example.com/v2/": {"auth": "YTpiOmM="},
                  "token.example.com": {"identitytoken": "t"}, "broken.example.com": {"auth": "%"}},
        "credHelpers": {"ecr.example.com": "ecr"}})");
    const auto hub = docker::find_credentials(config, "docker.io");
    CHECK(hub.username.reveal() == "me");
    CHECK(hub.password.reveal() == "secret");
    CHECK(hub.server == "https://index.docker.io/v1/");
    const auto own = docker::find_credentials(config, "reg.example.com");
    CHECK(own.username.reveal() == "a");
    CHECK(own.password.reveal() == "b:c");
    CHECK(docker::find_credentials(config, "token.example.com").identity_token.reveal() == "t");
    CHECK(docker::find_credentials(config, "ecr.example.com").helper == "ecr");
    const auto none = docker::find_credentials(config, "other.example.com");
    CHECK(none.username.empty());
    CHECK(none.helper.empty());
    CHECK_THROWS_WITH(docker::find_credentials(config, "broken.example.com"), ContainsSubstring("broken.example.com"));
    CHECK(docker::find_credentials(docker::Json::parse(R"({"credsStore":"pass"})"), "x.com").helper == "pass");
}

TEST_CASE("the user's credentials go with the pull, from the file or from a helper", "[engine]")
{
    const auto folder = std::filesystem::temp_directory_path() / ("gantry-creds-" + random_hex(6));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << R"({"auths":{"reg.example.com":{"auth":"YTpi"}},"credHelpers":{"h.example.com":"gantry-test"}})";
    const auto helper = folder / "docker-credential-gantry-test";
    std::ofstream(helper) << "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get h.example.com' ] || exit 1\n"
                             "echo '{\"ServerURL\":\"x\",\"Username\":\"<token>\",\"Secret\":\"tok\"}'\n";
    std::filesystem::permissions(helper, std::filesystem::perms::owner_all);
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (folder.string() + ":" + path).c_str(), 1);

    RealLoop loop;
    const auto decoded = [&](const std::string& registry) {
        const auto header = loop.run(docker::registry_auth(loop.pool, folder.string(), registry));
        return base64_decode(header.reveal()).value_or("?");
    };
    CHECK(docker::Json::parse(decoded("reg.example.com")) ==
          docker::Json{{"serveraddress", "reg.example.com"}, {"username", "a"}, {"password", "b"}});
    CHECK(docker::Json::parse(decoded("h.example.com")) ==
          docker::Json{{"serveraddress", "h.example.com"}, {"identitytoken", "tok"}});
    CHECK(decoded("none.example.com").empty());

    ::setenv("PATH", path.c_str(), 1);
    std::filesystem::remove_all(folder);
}

TEST_CASE("lines come whole from any pieces, and a line without end is refused", "[engine]")
{
    docker::JsonLines lines;
    std::vector<int> seen;
    for (const char character : std::string("{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3")) {
        lines.feed(std::string(1, character));
        while (const auto line = lines.next())
            seen.push_back(static_cast<int>(docker::number_field(*line, "a")));
    }
    CHECK(seen == std::vector<int>{1, 2});
    lines.feed(std::string(2'000'000, 'x'));
    CHECK_THROWS_WITH(lines.next(), ContainsSubstring("1 MB"));
}
