#include "engine/docker/demux.hpp"
#include "support/catch.hpp"

#include <string>

using namespace gantry;
using namespace gantry::engine;
using gantry::engine::docker::Demultiplexer;

namespace {

std::string frame(char type, const std::string& payload)
{
    std::string bytes{type, 0, 0, 0};
    for (const int shift : {24, 16, 8, 0})
        bytes += static_cast<char>(payload.size() >> shift & 0xff);
    return bytes + payload;
}

struct Taken {
    std::string out, err;
};

void take(Demultiplexer& demultiplexer, std::string_view input, Taken& taken)
{
    demultiplexer.feed(input);
    while (const auto piece = demultiplexer.next())
        (piece->stream == Stream::out ? taken.out : taken.err) += piece->bytes;
}

} // namespace

TEST_CASE("frames come apart the same however they are split", "[engine]")
{
    const auto stream = frame(1, "one\n") + frame(2, "two\n") + frame(1, "") + frame(0, "typed") + frame(1, "three");
    for (std::size_t first = 0; first <= stream.size(); ++first)
        for (std::size_t second = first; second <= stream.size(); ++second) {
            Demultiplexer demultiplexer;
            Taken taken;
            take(demultiplexer, std::string_view(stream).substr(0, first), taken);
            take(demultiplexer, std::string_view(stream).substr(first, second - first), taken);
            take(demultiplexer, std::string_view(stream).substr(second), taken);
            REQUIRE(taken.out == "one\ntypedthree");
            REQUIRE(taken.err == "two\n");
            REQUIRE(demultiplexer.at_border());
        }
}

TEST_CASE("a frame is handed on as it comes, without waiting for its end", "[engine]")
{
    Demultiplexer demultiplexer;
    Taken taken;

    take(demultiplexer, std::string("\x01\0\0\0\xff\xff\xff\xff", 8) + "abc", taken);

    CHECK(taken.out == "abc");
    CHECK_FALSE(demultiplexer.at_border());
}

TEST_CASE("an end inside of a frame or of a header is seen", "[engine]")
{
    const auto stream = frame(1, "one");
    for (std::size_t end = 1; end < stream.size(); ++end) {
        Demultiplexer demultiplexer;
        Taken taken;
        take(demultiplexer, std::string_view(stream).substr(0, end), taken);
        CHECK_FALSE(demultiplexer.at_border());
    }
}

TEST_CASE("what is no frame header is refused", "[engine]")
{
    const auto [name, bytes] = GENERATE(std::pair<const char*, std::string>{"type", std::string("\x04\0\0\0\0\0\0\x01x", 9)},
                                        std::pair<const char*, std::string>{"reserved", std::string("\x01\0\x01\0\0\0\0\x01x", 9)},
                                        std::pair<const char*, std::string>{"text", "Error response from daemon"});
    CAPTURE(name);
    Demultiplexer demultiplexer;
    Taken taken;
    CHECK_THROWS_WITH(take(demultiplexer, bytes, taken), ContainsSubstring("not a frame header"));
}

TEST_CASE("an error of the daemon in the stream is thrown with its words", "[engine]")
{
    Demultiplexer demultiplexer;
    Taken taken;
    take(demultiplexer, frame(1, "before"), taken);
    CHECK_THROWS_WITH(take(demultiplexer, frame(3, "log driver broke"), taken), ContainsSubstring("log driver broke"));
    CHECK(taken.out == "before");
}

TEST_CASE("an endless error of the daemon is cut", "[engine]")
{
    Demultiplexer demultiplexer;
    Taken taken;
    try {
        take(demultiplexer, frame(3, std::string(1'000'000, 'x')), taken);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).size() < 5000);
    }
}
