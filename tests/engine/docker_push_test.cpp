#include "engine/docker_scripted_daemon.hpp"

#include <algorithm>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

// A daemon whose pushes answer one after the other as given; the last one goes on for ever.
struct PushRegistry {
    explicit PushRegistry(std::vector<Says> answers)
        : pushes(std::move(answers)), daemon(loop, [this](const Asked& asked) {
              if (asked.line == "GET /version")
                  return ScriptedDaemon::version();
              return pushes[std::min(next++, pushes.size() - 1)];
          })
    {
        options = daemon.options();
    }

    Pushed push(std::function<void(const PushProgress&)> progress = nullptr)
    {
        engine = make_docker(loop.pool, options);
        return loop.run(engine->push_image("registry.example/a/b:1", std::move(progress)));
    }

    Error failure()
    {
        try {
            push();
        } catch (const Error& error) {
            return error;
        }
        return Error(Errc::internal, "no error");
    }

    std::vector<Says> pushes;
    std::size_t next = 0;
    RealLoop loop;
    ScriptedDaemon daemon;
    DockerOptions options;
    std::unique_ptr<Engine> engine;
};

Says fails(const std::string& words)
{
    return messages(R"({"errorDetail":{"message":")" + words + R"("},"error":"x"})" "\r\n");
}

const std::string k_good_push =
    R"({"status":"The push refers to repository [registry.example/a/b]"})" "\r\n"
    R"({"status":"Preparing","progressDetail":{},"id":"one"})" "\r\n"
    R"({"status":"Preparing","progressDetail":{},"id":"two"})" "\r\n"
    R"({"status":"Preparing","progressDetail":{},"id":"three"})" "\r\n"
    R"({"status":"Layer already exists","progressDetail":{},"id":"one"})" "\r\n"
    R"({"status":"Mounted from a/c","progressDetail":{},"id":"three"})" "\r\n"
    R"({"status":"Pushing","progressDetail":{"current":10,"total":100},"id":"two"})" "\r\n"
    R"({"status":"Pushed","progressDetail":{},"id":"two"})" "\r\n"
    R"({"status":"1: digest: sha256:abc size: 527"})" "\r\n"
    R"({"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:abc","Size":527}})" "\r\n";

} // namespace

TEST_CASE("a push tells its progress and ends with the registry's digest", "[engine]")
{
    PushRegistry registry({messages(k_good_push)});
    PushProgress last;
    const auto pushed = registry.push([&last](const PushProgress& progress) { last = progress; });

    CHECK(pushed.digest == "sha256:abc");
    CHECK(pushed.layers == 3);
    CHECK(pushed.layers_there == 2);
    CHECK(last.layers_done == 3);
    CHECK(last.bytes_done == 100);
    CHECK(registry.daemon.count("POST /v1.41/images/registry.example/a/b/push?tag=1") == 1);
    CHECK(registry.daemon.asked.back().head.find("X-Registry-Auth: e30=\r\n") != std::string::npos);
}

TEST_CASE("an engine with containerd's image store tells the digest in words alone", "[engine]")
{
    PushRegistry registry({messages(R"({"status":"The push refers to repository [registry.example/a/b]"})" "\r\n"
                                    R"({"status":"Pushed","progressDetail":{},"id":"one"})" "\r\n"
                                    R"({"status":"1: digest: sha256:def size: 405"})" "\r\n")});
    const auto pushed = registry.push();
    CHECK(pushed.digest == "sha256:def");
    CHECK(pushed.layers == 1);
}

TEST_CASE("a push is tried again when the registry or the way to it broke", "[engine]")
{
    PushRegistry registry({fails("received unexpected HTTP status: 500 Internal Server Error"), Says{"", true},
                       fails("error parsing HTTP 503 response body: unexpected end of JSON input"), messages("{}\n"), messages(k_good_push)});
    CHECK(registry.push().digest == "sha256:abc");
    CHECK(registry.daemon.count("/push") == 5);
    PushRegistry newer({fails("unexpected status from PUT request to http://registry.example/v2/a: 503 Service Unavailable"), messages(k_good_push)});
    CHECK(newer.push().digest == "sha256:abc");
}

TEST_CASE("a push gives up after five tries, and later with a registry that limits them", "[engine]")
{
    PushRegistry registry({fails("toomanyrequests: slow down")});
    const auto before = std::chrono::steady_clock::now();
    const auto error = registry.failure();
    CHECK(error.code() == Errc::unavailable);
    CHECK_THAT(error.what(), ContainsSubstring("after 5 tries: toomanyrequests"));
    CHECK_THAT(error.hint(), ContainsSubstring("limits"));
    CHECK(registry.daemon.count("/push") == 5);
    CHECK(std::chrono::steady_clock::now() - before > std::chrono::milliseconds(70)); // 1 ms is its own first pause
}

TEST_CASE("a push that the daemon itself has tried again is not tried again", "[engine]")
{
    PushRegistry registry({messages(R"({"status":"Retrying in 5 seconds","progressDetail":{},"id":"one"})" "\r\n"
                                R"({"errorDetail":{"message":"received unexpected HTTP status: 500"}})" "\r\n")});
    const auto error = registry.failure();
    CHECK(error.code() == Errc::unavailable);
    CHECK_THAT(error.what(), ContainsSubstring("after several tries"));
    CHECK(registry.daemon.count("/push") == 1);
}

TEST_CASE("a push that is refused is not tried again", "[engine]")
{
    const std::vector<std::pair<std::string, Errc>> rows = {
        {"unauthorized: authentication required", Errc::denied},
        {"no basic auth credentials", Errc::denied},
        {"denied: requested access to the resource is denied", Errc::denied},
        {"error parsing HTTP 403 response body: invalid character", Errc::denied},
        {"error parsing HTTP 404 response body: invalid character", Errc::not_found},
        {"An image does not exist locally with the tag: registry.example/a/b", Errc::not_found},
        {"Get https://registry.example/v2/: x509: certificate signed by unknown authority", Errc::denied},
        {"server gave HTTP response to HTTPS client", Errc::bad_input},
        {"push access denied, repository does not exist or may require authorization: server message: insufficient_scope", Errc::denied},
        {"unknown: unexpected status from HEAD request to http://registry.example/v2/a/b/blobs/sha256:500: 403 Forbidden", Errc::denied},
        {"failed to resolve reference registry.example/a/b:1: registry.example/a/b:1: not found", Errc::not_found},
        {"something else", Errc::internal},
    };
    for (const auto& [words, code] : rows) {
        INFO(words);
        PushRegistry registry({fails(words)});
        CHECK(registry.failure().code() == code);
        CHECK(registry.daemon.count("/push") == 1);
    }
}

TEST_CASE("a push that says nothing any more is given up", "[engine]")
{
    PushRegistry registry({Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\r\n\r\n"}});
    registry.options.silence_limit = std::chrono::milliseconds(50);
    const auto error = registry.failure();
    CHECK(error.code() == Errc::timed_out);
    CHECK_THAT(error.what(), ContainsSubstring("the registry registry.example: no answer within 50ms"));
    CHECK_THAT(error.hint(), ContainsSubstring("engine's host"));
}
