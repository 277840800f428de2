#include "engine/docker_scripted_daemon.hpp"

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
using Asked = ScriptedDaemon::Asked;
using Says = ScriptedDaemon::Says;

namespace {

// A daemon that has the images a:latest, b:2 and one by the id 0123abcd.
struct Images : ScriptedEngine {
    explicit Images(Says answer)
        : ScriptedEngine([answer](const Asked& asked) {
              if (asked.line.find("/images/get") != std::string::npos || asked.line.find("/images/load") != std::string::npos)
                  return answer;
              for (const auto* name : {"/a:latest/json", "/b:2/json", "/0123abcd/json"})
                  if (asked.line.find(name) != std::string::npos)
                      return ScriptedDaemon::json(200, R"({"Id":"sha256:0123"})");
              return ScriptedDaemon::json(404, R"({"message":"no such image"})");
          })
    {
    }

    std::string save(const std::vector<std::string>& images)
    {
        loop.run(engine->save_images(images, [this](std::string_view piece) -> awaitable<void> {
            whole = piece.empty();
            saved += piece;
            co_return;
        }));
        return saved;
    }

    std::vector<std::string> load(std::string archive)
    {
        auto pieces = std::make_shared<std::vector<std::string>>(1, std::move(archive));
        return loop.run(engine->load_images([pieces]() -> awaitable<std::string> {
            std::string piece;
            piece.swap(pieces->front());
            co_return piece;
        }));
    }

    template <typename Act>
    Error failure(Act act)
    {
        try {
            act();
        } catch (const Error& error) {
            return error;
        }
        return Error(Errc::cancelled, "no error");
    }

    std::string saved;
    bool whole = false;
};

Says bytes(const std::string& body)
{
    return ScriptedDaemon::json(200, body);
}

const std::string k_tar = "manifest" + std::string(2000, 'x') + std::string(1024, '\0');

} // namespace

TEST_CASE("an archive of images is handed on byte for byte, and is whole once its empty piece has come", "[engine]")
{
    Images images(bytes(k_tar));
    CHECK(images.save({"a", "b:2", "0123abcd"}) == k_tar);
    CHECK(images.whole);
    // A name alone would be all of its tags.
    CHECK(images.daemon.count("/images/get?names=a%3Alatest&names=b%3A2&names=0123abcd") == 1);
}

TEST_CASE("an image that the engine does not have is told before a byte of the archive", "[engine]")
{
    Images images(bytes(k_tar));
    CHECK(images.failure([&] { images.save({"a", "c"}); }).code() == Errc::not_found);
    CHECK(images.saved.empty());
    CHECK(images.daemon.count("/images/get") == 0);
}

TEST_CASE("what no image can be called is not asked for", "[engine]")
{
    for (const auto* name : {"/tmp/x", "", "../version", "Upper", "a b"}) {
        INFO(name);
        Images images(bytes(k_tar));
        CHECK(images.failure([&] { images.save({"a", name}); }).code() == Errc::bad_input);
        CHECK(images.failure([&] { images.loop.run(images.engine->find_image(name)); }).code() == Errc::bad_input);
        CHECK(images.saved.empty());
    }
}

TEST_CASE("an archive that the engine gave up in the middle is never whole", "[engine]")
{
    Images words(bytes("manifest" + std::string(3000, 'x') +
                       R"({"errorDetail":{"message":"no space left on device"},"error":"no space left on device"})" "\r\n"));
    CHECK(words.failure([&] { words.save({"a"}); }).code() == Errc::no_space);
    CHECK_FALSE(words.whole);

    Images silent(bytes("manifest" + std::string(3000, 'x')));
    CHECK(silent.failure([&] { silent.save({"a"}); }).code() == Errc::unavailable);
    CHECK_FALSE(silent.whole);

    Images empty(bytes(""));
    CHECK(empty.failure([&] { empty.save({"a"}); }).code() == Errc::unavailable);

    Images gone({"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + k_tar, true});
    CHECK(gone.failure([&] { gone.save({"a"}); }).code() == Errc::unavailable);
    CHECK_FALSE(gone.whole);
}

TEST_CASE("what was loaded is told by tag, or by id, each once", "[engine]")
{
    Images images(bytes("{\"stream\":\"Loaded image: shop:1\\n\"}\r\n"
                        "{\"stream\":\"Loaded image: shop:1\\nLoaded image ID: sha256:abc\\n\"}\r\n"
                        "{\"stream\":\"Loaded image(s): localhost/x:1,localhost/y:2\"}\r\n{\"status\":\"other\"}\r\n"));
    CHECK(images.load(k_tar) == std::vector<std::string>{"shop:1", "sha256:abc", "localhost/x:1", "localhost/y:2"});
    CHECK(images.daemon.asked.back().body.find("manifest") != std::string::npos);
}

TEST_CASE("an archive that the engine cannot read is bad input, whatever its words remind of", "[engine]")
{
    const auto error_of = [](const Says& says) {
        Images images(says);
        return images.failure([&] { images.load("rubbish"); });
    };
    CHECK(error_of(ScriptedDaemon::json(500, R"({"message":"Error processing tar file: unexpected EOF"})")).code() == Errc::bad_input);
    CHECK(error_of(ScriptedDaemon::json(500, R"({"message":"invalid tar header"})")).code() == Errc::bad_input);
    CHECK(error_of(bytes("{\"error\":\"open /tmp/x/repositories: no such file\"}\n")).code() == Errc::bad_input);
    CHECK(error_of(bytes("")).code() == Errc::bad_input);
    CHECK(error_of(ScriptedDaemon::json(500, R"({"message":"write /x: no space left on device"})")).code() == Errc::no_space);
    CHECK(error_of(ScriptedDaemon::json(403, R"({"message":"no"})")).code() == Errc::denied);
}

TEST_CASE("who cannot read the archive ends the load with an error of his own", "[engine]")
{
    Images images(bytes(""));
    const ReadPiece broken = []() -> awaitable<std::string> {
        throw Error(Errc::not_found, "the reader's own");
        co_return "";
    };
    CHECK(images.failure([&] { images.loop.run(images.engine->load_images(broken)); }).code() == Errc::not_found);
}
