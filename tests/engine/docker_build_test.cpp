#include "engine/docker/build_messages.hpp"
#include "engine/docker/http.hpp"
#include "engine/docker_scripted_daemon.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::engine::docker;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;
using Kind = BuildEvent::Kind;

namespace {

// As text: "step 2/5 RUN make", "cached", "out hi", "err no".
std::vector<std::string> events_of(BuildMessages& messages, const std::vector<Json>& stream)
{
    std::vector<std::string> events;
    for (const auto& message : stream) {
        const auto event = messages.add(message);
        if (!event)
            continue;
        if (event->kind == Kind::step)
            events.push_back("step " + std::to_string(event->step) + "/" + std::to_string(event->steps) + " " + event->text);
        else if (event->kind == Kind::cached)
            events.emplace_back("cached");
        else
            events.push_back((event->stream == Stream::err ? "err " : "out ") + event->text);
    }
    return events;
}

Json said(const std::string& text)
{
    return {{"stream", text}};
}

std::string message_line(const Json& json)
{
    return json.dump() + "\r\n";
}

// A daemon that answers what is asked of it by `answer`, but for versions and images.
struct Daemon {
    explicit Daemon(ScriptedDaemon::Script answer)
        : daemon(loop, [this, answer = std::move(answer)](const Asked& asked) {
              if (asked.line == "GET /version")
                  return version;
              if (asked.line.starts_with("GET ") && asked.line.find("/images/") != std::string::npos)
                  return ScriptedDaemon::json(200, image);
              return answer(asked);
          })
    {
    }

    Engine& with(DockerOptions options)
    {
        engine = make_docker(loop.pool, std::move(options));
        return *engine;
    }
    Engine& plain() { return with(daemon.options()); }

    BuildResult build(Engine& on, BuildSpec spec = {})
    {
        ReadPiece none = []() -> awaitable<std::string> { co_return ""; };
        TellBuild tell = [this](const BuildEvent& event) -> awaitable<void> {
            told.push_back(event);
            co_return;
        };
        return loop.run(on.build_image(spec, none, tell));
    }

    template <typename Act>
    Error failure(Act act)
    {
        try {
            act();
        } catch (const Error& error) {
            return error;
        }
        return Error(Errc::internal, "no error");
    }

    std::string image = R"({"Id":"sha256:1","Config":{}})"; // every one that is there
    Says version = ScriptedDaemon::version();
    RealLoop loop;
    ScriptedDaemon daemon;
    std::unique_ptr<Engine> engine;
    std::vector<BuildEvent> told;
};

Daemon building(const std::vector<Json>& stream)
{
    std::string text;
    for (const auto& message : stream)
        text += message_line(message);
    return Daemon([text](const Asked&) { return ScriptedDaemon::json(200, text); });
}

} // namespace

TEST_CASE("Docker's builder is understood", "[engine]")
{
    BuildMessages messages;
    const auto events = events_of(
        messages, {said("Step 1/4 : FROM busybox"), said("\n"), said(" ---> 4654f851af4b\n"),
                   said("Step 2/4 : RUN echo hi; echo no >&2"), said("\n"), said(" ---> Using cache\n"), said(" ---> f65cfcc6e991\n"),
                   {{"aux", {{"ID", "sha256:a"}}}}, said("Step 3/4 : FROM x"), said("\n"), said("Step 4/4 : RUN y"), said("\n"),
                   said(" ---> Running in 16c607d58fc9\n"), said("hi\n"), said("\n"), said("\x1b[91mno\n\x1b[0m"),
                   said("Removing intermediate container 16c607d58fc9\n"), said(" ---> 1\n"), {{"aux", {{"ID", "sha256:b"}}}},
                   said("Successfully built 1\n"), said("Successfully tagged a:1\n"), {{"status", "Pulling"}, {"id", "x"}}});
    CHECK(events == std::vector<std::string>{"step 1/4 FROM busybox", "step 2/4 RUN echo hi; echo no >&2", "cached",
                                             "step 3/4 FROM x", "step 4/4 RUN y", "out hi\n", "out \n", "err no\n"});
    CHECK(messages.image_id() == "sha256:b");
    CHECK(messages.error().empty());
}

TEST_CASE("Podman's builder is understood", "[engine]")
{
    BuildMessages messages;
    const auto events = events_of(messages, {said("STEP 1/2: FROM busybox\n"), said("STEP 2/2: RUN true\n"),
                                             said("--> Using cache 0123\n"), said("COMMIT a:1\n"), said("--> 0123\n")});
    CHECK(events == std::vector<std::string>{"step 1/2 FROM busybox", "step 2/2 RUN true", "cached"});
}

TEST_CASE("Podman's builder counts anew in each stage, and has exit codes in its words", "[engine]")
{
    BuildMessages messages;
    const std::string words = "building at STEP \"RUN sh -c 'exit 7'\": while running runtime: exit status 7\n";
    const auto events = events_of(messages, {said("[1/2] STEP 1/2: FROM a AS one\n"), said("[1/2] STEP 2/2: RUN make\n"),
                                             said("--> aaaaaaaaaaa\n"), said(std::string(64, 'a') + "\n"), said("[2/2] STEP 1/2: FROM b\n"),
                                             said("[2/2] STEP 2/2: RUN sh -c 'exit 7'\n"),
                                             Json{{"errorDetail", {{"message", words}}}, {"error", words}}});
    CHECK(events == std::vector<std::string>{"step 1/2 FROM a AS one", "step 2/2 RUN make", "step 3/4 FROM b",
                                             "step 4/4 RUN sh -c 'exit 7'"});
    CHECK(messages.exit_code() == 7);
    CHECK(messages.step() == 4);
    CHECK(messages.error() == "building at STEP \"RUN sh -c 'exit 7'\": while running runtime: exit status 7");
}

TEST_CASE("a digest that a command prints is no id of the builder's", "[engine]")
{
    BuildMessages messages;
    const auto digest = std::string(64, 'b') + "\n";
    const auto events = events_of(messages, {said("STEP 1/1: RUN sha256sum\n"), said(digest), said("--> aaaaaaaaaaa\n"), said(digest)});
    CHECK(events == std::vector<std::string>{"step 1/1 RUN sha256sum", "out " + digest, "out " + digest});
}

TEST_CASE("a base image is awaited from its FROM until anything is heard of it but a pull", "[engine]")
{
    BuildMessages messages;
    const auto awaits_after = [&messages](const Json& message) {
        messages.add(message);
        return messages.awaits_base_image();
    };
    CHECK(awaits_after(said("Step 1/4 : FROM busybox")));
    CHECK(awaits_after(said("\n")));
    CHECK(awaits_after({{"status", "Downloading"}, {"id", "x"}}));
    CHECK_FALSE(awaits_after(said("# Executing 1 build trigger\n")));
    CHECK_FALSE(awaits_after(said(" ---> 1\n")));
    CHECK_FALSE(awaits_after(said("Step 2/4 : COPY --from=0 /a /b"))); // of a folder as large as one likes
    CHECK_FALSE(awaits_after(said("Step 3/4 : RUN sleep 1000")));
    CHECK(awaits_after(said("Step 4/4 : from b")));
    CHECK(messages.fetches());
}

TEST_CASE("a registry that says nothing of a base image does not hold up a build", "[engine]")
{
    Daemon hangs([](const Asked&) {
        return unended({message_line(said("Step 1/1 : FROM r.example/a")), message_line({{"status", "Pulling from a"}, {"id", "latest"}})});
    });
    auto options = hangs.daemon.options();
    options.silence_limit = std::chrono::milliseconds(20);
    auto& engine = hangs.with(options);
    const auto error = hangs.failure([&] { hangs.build(engine); });
    CHECK(error.code() == Errc::timed_out);
    CHECK_THAT(error.what(), ContainsSubstring("pull of a base image: no answer within 20ms"));
    CHECK_THAT(error.hint(), ContainsSubstring("registry"));
}

TEST_CASE("what a command prints does not pass for a step that is not next", "[engine]")
{
    BuildMessages messages;
    const auto events = events_of(messages, {said("Step 1/2 : FROM a"), said("\n"), said("Step 7/9 : fake\n"), said("Step 0/0 : x"),
                                             said("Step 2/1 : x"), said("Step"), said("Step 99999999999999999999/2 : x")});
    CHECK(events == std::vector<std::string>{"step 1/2 FROM a", "out Step 7/9 : fake\n", "out Step 0/0 : x", "out Step 2/1 : x",
                                             "out Step", "out Step 99999999999999999999/2 : x"});
    CHECK(messages.step() == 1);
}

TEST_CASE("messages that are none are passed over", "[engine]")
{
    BuildMessages messages;
    CHECK(events_of(messages, {Json(), 1, "x", Json::array(), {{"stream", 1}}, {{"aux", "x"}}, {{"errorDetail", 4}}}).empty());
}

TEST_CASE("a build asks for all of its spec", "[engine]")
{
    auto world = building({{{"aux", {{"ID", "sha256:1"}}}}});
    BuildSpec spec;
    spec.tags = {"a:1", "registry.example/b:2"};
    spec.dockerfile = "x/Dockerfile";
    spec.target = "run";
    spec.platform = "linux/arm64";
    spec.args = {{"A", "b c"}};
    spec.labels = {{"l", "v"}};
    spec.cache_from = {"c:1"};
    spec.network_mode = "none";
    spec.extra_hosts = {"h:1.2.3.4"};
    spec.shm_size_bytes = 64 << 20;
    spec.pull = spec.no_cache = true;
    CHECK(world.build(world.plain(), spec).image->id == "sha256:1");
    CHECK(world.daemon.count("POST /v1.41/build?rm=1&forcerm=1&dockerfile=x%2FDockerfile&t=a%3A1&t=registry.example%2Fb%3A2"
                             "&target=run&platform=linux%2Farm64&networkmode=none&buildargs=%7B%22A%22%3A%22b%20c%22%7D"
                             "&labels=%7B%22l%22%3A%22v%22%7D&cachefrom=%5B%22c%3A1%22%5D&extrahosts=h%3A1.2.3.4"
                             "&shmsize=67108864&pull=1&nocache=1") == 1);
}

TEST_CASE("a repository of which no branch is named is built from its own, and Podman finds that itself", "[engine]")
{
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"https://h/x.git", "https://h/x.git#HEAD"}, {"https://h/x.git#", "https://h/x.git#HEAD"}, {"https://h/x.git#:sub", "https://h/x.git#HEAD:sub"},
        {"https://h/x.git#v1", "https://h/x.git#v1"}, {"https://h/x.git#v1:sub", "https://h/x.git#v1:sub"},
    };
    for (const auto& [written, asked] : rows) {
        CAPTURE(written);
        auto world = building({{{"aux", {{"ID", "sha256:1"}}}}});
        BuildSpec spec;
        spec.remote = written;
        CHECK(world.build(world.plain(), spec).image);
        CHECK(world.daemon.count("&remote=" + encode_query(asked)) == 1);
    }
    auto podman = building({{{"aux", {{"ID", "sha256:1"}}}}});
    podman.version = ScriptedDaemon::json(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.24","Components":[{"Name":"Podman Engine"}]})");
    BuildSpec spec;
    spec.remote = "https://h/x.git";
    CHECK(podman.build(podman.plain(), spec).image);
    CHECK(podman.daemon.count("HEAD") == 0);
}

TEST_CASE("Podman is not told what images to take layers from: it refuses names with tags, and looks at all images", "[engine]")
{
    auto world = building({{{"aux", {{"ID", "sha256:1"}}}}});
    world.version = ScriptedDaemon::json(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.24","Components":[{"Name":"Podman Engine"}]})");
    BuildSpec spec;
    spec.cache_from = {"c:1"};
    CHECK(world.build(world.plain(), spec).image->id == "sha256:1");
    CHECK(world.daemon.count("/build?") == 1);
    CHECK(world.daemon.count("cachefrom") == 0);
}

TEST_CASE("an image of another platform than was asked for is no result of a build", "[engine]")
{
    auto world = building({{{"aux", {{"ID", "sha256:1"}}}}});
    world.image = R"({"Id":"sha256:1","Config":{},"Os":"linux","Architecture":"amd64"})";
    BuildSpec spec;
    CHECK(world.build(world.plain(), spec).image->architecture == "amd64");
    spec.platform = "linux/amd64";
    CHECK(world.build(world.plain(), spec).image);
    spec.platform = "linux/arm64";
    const auto error = world.failure([&] { world.build(world.plain(), spec); });
    CHECK(error.code() == Errc::not_found);
    CHECK_THAT(error.what(), ContainsSubstring("linux/amd64") && ContainsSubstring("linux/arm64"));
}

TEST_CASE("a build brings the credentials of all registries that the user has some for", "[engine]")
{
    auto world = building({{{"aux", {{"ID", "sha256:1"}}}}});
    const auto folder = std::filesystem::temp_directory_path() / ("gantry-config-" + random_hex(6));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json")
        << R"({"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"registry.example:5000":{"auth":"Yzpk"},)"
        << R"("broken.example":{"auth":"not base64"},"empty.example":{}},"credHelpers":{"helped.example":"gantry-has-none"}})";
    auto options = world.daemon.options();
    options.config_dir = folder.string();
    world.build(world.with(options));
    std::filesystem::remove_all(folder);

    const auto& head = world.daemon.asked.back().head.find("X-Registry-Config: ") == std::string::npos
                           ? world.daemon.asked.at(1).head
                           : world.daemon.asked.back().head;
    const auto at = head.find("X-Registry-Config: ");
    REQUIRE(at != std::string::npos);
    const auto value = head.substr(at + 19, head.find("\r\n", at) - at - 19);
    const auto config = Json::parse(base64_decode(value).value_or(""));
    CHECK(config.size() == 2);
    CHECK(config["https://index.docker.io/v1/"]["username"] == "a");
    CHECK(config["registry.example:5000"]["password"] == "d");
}

TEST_CASE("what is wrong with a git repository or the path of a Dockerfile is bad input, with a hint", "[engine]")
{
    struct Row {
        const char* words;
        Errc code;
        const char* hint;
    };
    const std::vector<Row> rows = {
        {"error fetching: fatal: couldn't find remote ref nope\n: exit status 128", Errc::bad_input, "no such branch or tag"},
        {"stat /var/lib/docker/tmp/docker-build-git730809340/nope: no such file or directory", Errc::bad_input, "URL#REF:FOLDER"},
        {"error setting git context, \"../../etc\" not within git root: evalSymlinksInScope: …", Errc::bad_input, "URL#REF:FOLDER"},
        {"error setting git context, not a directory: /var/lib/docker/tmp/docker-build-git1/Dockerfile", Errc::bad_input, "URL#REF:FOLDER"},
        {"error fetching: fatal: repository 'http://h/none.git/' not found\n: exit status 128", Errc::bad_input, "check the address"},
        {"error fetching: fatal: could not read Username for 'https://h': terminal prompts disabled", Errc::bad_input, "check the address"},
        {"error fetching: fatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", Errc::bad_input, "check the address"},
        {"error fetching: fatal: unable to access 'http://h/x.git/': Could not resolve host: h", Errc::unavailable, "can the engine reach"},
        {"forbidden path outside the build context: ../Dockerfile ()", Errc::bad_input, "one of the context"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.words);
        const auto answer = Json{{"message", row.words}}.dump();
        Daemon refuses([&answer](const Asked&) { return ScriptedDaemon::json(500, answer); });
        const auto failed = refuses.failure([&] { refuses.build(refuses.plain()); });
        CHECK(failed.code() == row.code);
        CHECK_THAT(failed.hint(), ContainsSubstring(row.hint));
    }
}

TEST_CASE("how a build fails is told by its kind", "[engine]")
{
    const auto step = [](const std::string& instruction) { return said("Step 1/3 : " + instruction); };
    const auto error = [](const std::string& words, int code = 0) {
        return Json{{"errorDetail", {{"code", code}, {"message", words}}}, {"error", words}};
    };
    SECTION("a command's own failure is a result, whatever its words look like")
    {
        auto world = building({step("RUN x"), error("The command 'x unauthorized' returned a non-zero code: 3", 3)});
        const auto result = world.build(world.plain());
        CHECK_FALSE(result.image);
        CHECK(result.exit_code == 3);
        CHECK(result.step == 1);
    }
    SECTION("an instruction without a command fails with 1")
    {
        auto world = building({step("COPY a b"), error("COPY failed: stat a: connection refused")});
        CHECK(world.build(world.plain()).exit_code == 1);
    }
    SECTION("a command that the engine cannot begin is not the build's own failure")
    {
        auto world = building({step("RUN x"), error("failed to create endpoint sad_hellman on network bridge: no such network interface")});
        const auto failed = world.failure([&] { world.build(world.plain()); });
        CHECK(failed.code() == Errc::internal);
        CHECK_THAT(failed.hint(), ContainsSubstring("restart"));
    }
    SECTION("a base image that nobody has")
    {
        auto world = building({step("FROM a"), error("manifest for a:latest not found: manifest unknown")});
        CHECK(world.failure([&] { world.build(world.plain()); }).code() == Errc::not_found);
    }
    SECTION("a base image of a registry that is away")
    {
        auto world = building({step("FROM a"), error("Get \"https://a/v2/\": dial tcp: connection refused")});
        CHECK(world.failure([&] { world.build(world.plain()); }).code() == Errc::unavailable);
    }
    SECTION("the name of a stage that there is not, which the builder takes for an image")
    {
        auto world = building({step("COPY --from=nostage /x /y"), error("invalid from flag value nostage: pull access denied for nostage, …")});
        const auto failed = world.failure([&] { world.build(world.plain()); });
        CHECK(failed.code() == Errc::denied);
        CHECK(failed.hint() == "no stage above it is called that: FROM … AS nostage; if an image is meant: "
                               "if the image exists, sign in: docker login REGISTRY");
        auto image = building({step("COPY --from=r.example/a:1 /x /y"), error("invalid from flag value r.example/a:1: pull access denied for it")});
        CHECK(image.failure([&] { image.build(image.plain()); }).hint() == "if the image exists, sign in: docker login REGISTRY");
    }
    SECTION("a base image's trigger that fails is the build's own")
    {
        auto world = building({step("FROM a"), error("COPY failed: file not found")});
        CHECK(world.build(world.plain()).exit_code == 1);
    }
    SECTION("a full disk is a full disk everywhere")
    {
        auto world = building({step("COPY a b"), error("COPY failed: write /x: no space left on device")});
        CHECK(world.failure([&] { world.build(world.plain()); }).code() == Errc::no_space);
    }
    SECTION("an answer that stops")
    {
        auto world = building({step("FROM a")});
        CHECK(world.failure([&] { world.build(world.plain()); }).code() == Errc::internal);
        Daemon cut([](const Asked&) { return Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"", true}; });
        CHECK(cut.failure([&] { cut.build(cut.plain()); }).code() == Errc::unavailable);
    }
}
