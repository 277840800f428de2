#include "base/format.hpp"
#include "support/catch.hpp"

#include <limits>

using namespace gantry;
using namespace std::chrono_literals;

TEST_CASE("a count has its noun in one form for one and in another for the rest", "[base]")
{
    CHECK(format_count(0, "file") == "0 files");
    CHECK(format_count(1, "file") == "1 file");
    CHECK(format_count(12, "file") == "12 files");
}

TEST_CASE("how long ago is said in one unit, and what is yet to come is now", "[base]")
{
    CHECK(format_ago(-5min) == "just now");
    CHECK(format_ago(59s) == "just now");
    CHECK(format_ago(60s) == "1 min ago");
    CHECK(format_ago(59min) == "59 min ago");
    CHECK(format_ago(1h) == "1 h ago");
    CHECK(format_ago(47h) == "47 h ago");
    CHECK(format_ago(48h) == "2 days ago");
}

TEST_CASE("a duration is written in the unit a person expects", "[base]")
{
    CHECK(format_duration(0ns) == "0ms");
    CHECK(format_duration(4ms) == "4ms");
    CHECK(format_duration(99ms) == "99ms");
    CHECK(format_duration(100ms) == "0.1s");
    CHECK(format_duration(700ms) == "0.7s");
    CHECK(format_duration(42s) == "42.0s");
    CHECK(format_duration(125s) == "2m 05s");
    CHECK(format_duration(62min) == "1h 02m");
    CHECK(format_duration(47h) == "47h 00m");
    CHECK(format_duration(50h) == "2d 02h");
    CHECK(format_duration(720h - 1min) == "30d 00h");
    CHECK(format_duration(-3s) == "0ms");
    CHECK(format_duration(std::chrono::nanoseconds::max()) == "106752d 00h");
}

TEST_CASE("rounding a duration never shows sixty of a unit", "[base]")
{
    CHECK(format_duration(59940ms) == "59.9s");
    CHECK(format_duration(59970ms) == "1m 00s");
    CHECK(format_duration(119600ms) == "2m 00s");
    CHECK(format_duration(3599600ms) == "1h 00m");
}

TEST_CASE("a size is written in decimal units with two or three digits", "[base]")
{
    CHECK(format_size(0) == "0 B");
    CHECK(format_size(999) == "999 B");
    CHECK(format_size(1000) == "1.0 kB");
    CHECK(format_size(3149) == "3.1 kB");
    CHECK(format_size(9960) == "10 kB");
    CHECK(format_size(412'400'000) == "412 MB");
    CHECK(format_size(999'600) == "1.0 MB");
    CHECK(format_size(5'000'000'000) == "5.0 GB");
    CHECK(format_size(std::numeric_limits<std::uint64_t>::max()) == "18 EB");
}

TEST_CASE("a limit of memory is written as it is read", "[base]")
{
    for (const auto* text : {"0 B", "1023 B", "1 KiB", "1.5 KiB", "20 MiB", "512 MiB", "1 GiB", "2.5 GiB", "3 TiB", "7 PiB"}) {
        auto written = std::string(text);
        written.erase(written.find(' '), 1);
        const auto size = parse_size(written);
        REQUIRE(size);
        CHECK(format_memory(*size) == text);
    }
    CHECK(format_memory(20 << 20) == "20 MiB");
    CHECK(format_memory(20'000'000) == "19.1 MiB");
    CHECK(format_memory((std::uint64_t{1} << 30) - 1) == "1 GiB");
    CHECK(format_memory(1024 * 1023 + 1000) == "1 MiB");
    CHECK(format_memory(std::numeric_limits<std::uint64_t>::max()) == "16 EiB");
}

TEST_CASE("times are RFC 3339 in UTC, with milliseconds", "[base]")
{
    const auto time = parse_time("2024-05-01T10:20:30.123Z");

    REQUIRE(time);
    CHECK(format_time(*time) == "2024-05-01T10:20:30.123Z");
    CHECK(time->time_since_epoch() == 1714558830123ms);
    CHECK(format_time(*parse_time("1969-12-31T23:59:59.999Z")) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("times that nanoseconds have no room for are printed, too", "[base]")
{
    CHECK(format_seconds(1714558830) == "2024-05-01T10:20:30.000Z");
    CHECK(format_seconds(-1) == "1969-12-31T23:59:59.000Z");
    CHECK(format_seconds(32503680000) == "3000-01-01T00:00:00.000Z");
    CHECK(format_seconds(std::numeric_limits<std::int64_t>::max()) == "9999-12-31T23:59:59.000Z");
    CHECK(format_seconds(std::numeric_limits<std::int64_t>::min()) == "0001-01-01T00:00:00.000Z");
}

TEST_CASE("offsets, nanoseconds and lower case are read", "[base]")
{
    CHECK(parse_time("2024-05-01T12:20:30+02:00") == parse_time("2024-05-01T10:20:30Z"));
    CHECK(parse_time("2024-05-01t08:50:30-01:30") == parse_time("2024-05-01 10:20:30z"));
    CHECK(*parse_time("2024-02-29T00:00:00.000000001Z") - *parse_time("2024-02-29T00:00:00Z") == 1ns);
    CHECK(*parse_time("2024-02-29T00:00:00.5000000009Z") - *parse_time("2024-02-29T00:00:00Z") == 500ms);
}

TEST_CASE("what is not a time is refused", "[base]")
{
    const auto* text = GENERATE("", "2024-05-01", "2024-05-01T10:20:30", "2024-13-01T10:20:30Z", "2023-02-29T10:20:30Z",
                                "2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:20:30.Z",
                                "2024-05-01T10:20:30Zx", "2024-05-01T10:20:30+25:00", "20x4-05-01T10:20:30Z",
                                "0001-01-01T00:00:00Z");
    CAPTURE(text);
    CHECK_FALSE(parse_time(text));
}

TEST_CASE("durations are read as Compose and Go write them", "[base]")
{
    CHECK(parse_duration("90s") == 90s);
    CHECK(parse_duration("10m") == 10min);
    CHECK(parse_duration("1h30m") == 90min);
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("1.5s") == 1500ms);
    CHECK(parse_duration(".5s") == 500ms);
    CHECK(parse_duration("2d") == 48h);
    CHECK(parse_duration("3us4ns") == 3004ns);
    CHECK(parse_duration("7µs") == 7us);
    CHECK(parse_duration("0.000000001s") == 1ns);
    CHECK(parse_duration("106751d") == 24h * 106751);
}

TEST_CASE("what is not a duration is refused", "[base]")
{
    const auto* text = GENERATE("", "10", "0", "s", "1", "10 m", " 10m", "-1s", "1.s", "1m30", "5 minutes", "1e3s", "106752d",
                                "106751d24h", "99999999999999999999s", "1M", "1.5.5s");
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
}

TEST_CASE("a printed duration reads back to the same value", "[base]")
{
    CHECK(print_duration(0s) == "0s");
    CHECK(print_duration(90min) == "1h30m");
    CHECK(print_duration(90s) == "1m30s");
    CHECK(print_duration(48h) == "2d");
    CHECK(print_duration(1500ms) == "1.5s");
    CHECK(print_duration(1500us) == "1.5ms");
    CHECK(print_duration(61s + 5ms) == "1m1.005s");

    const auto value = GENERATE(1ns, 999ns, 1001ns, 500000000ns, 3661000000001ns, std::chrono::nanoseconds::max());
    CAPTURE(value.count());
    CHECK(parse_duration(print_duration(value)) == value);
}

TEST_CASE("sizes are read in binary units, as Compose has them", "[base]")
{
    CHECK(parse_size("1024") == 1024);
    CHECK(parse_size("1024b") == 1024);
    CHECK(parse_size("64k") == 65536);
    CHECK(parse_size("512m") == 512ULL << 20);
    CHECK(parse_size("1g") == 1ULL << 30);
    CHECK(parse_size("1gb") == 1ULL << 30);
    CHECK(parse_size("1.5GiB") == 3ULL << 29);
    CHECK(parse_size("0") == 0);
}

TEST_CASE("what is not a size is refused", "[base]")
{
    const auto* text = GENERATE("", "m", "-1m", "1x", "1mm", "1 g", "1bb", "0x10", "9999999999t", "18446744073709551616");
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
}

TEST_CASE("split and join undo each other", "[base]")
{
    CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
    CHECK(split("", ',') == std::vector<std::string>{""});
    CHECK(split("a,", ',') == std::vector<std::string>{"a", ""});
    CHECK(join({"a", "", "b"}, ", ") == "a, , b");
    CHECK(join({}, ",").empty());
    CHECK(some_of({}, 2).empty());
    CHECK(some_of({"a", "b"}, 2) == "a, b");
    CHECK(some_of({"a", "b", "c", "d"}, 2) == "a, b and 2 more");
    CHECK(trim(" \t a b\r\n") == "a b");
    CHECK(trim(" \n ").empty());
    CHECK(to_lower("ÄBC-9z") == "Äbc-9z");
}

TEST_CASE("the nearest name is suggested only when it is near", "[base]")
{
    const std::vector<std::string> keys{"image", "commands", "environment", "when", "id"};

    CHECK(nearest("iamge", keys) == "image");
    CHECK(nearest("Image", keys) == "image");
    CHECK(nearest("comands", keys) == "commands");
    CHECK(nearest("enviroment", keys) == "environment");
    CHECK(nearest("wen", keys) == "when");
    CHECK_FALSE(nearest("script", keys));
    CHECK_FALSE(nearest("x", keys));
    CHECK_FALSE(nearest("", keys));
    CHECK_FALSE(nearest(std::string(1'000'000, 'a'), keys));
    CHECK(nearest("stagf", {"stage", "staff"}) == "stage");
}

TEST_CASE("base64 follows RFC 4648", "[base]")
{
    CHECK(base64_encode("") == "");
    CHECK(base64_encode("f") == "Zg==");
    CHECK(base64_encode("fo") == "Zm8=");
    CHECK(base64_encode("foobar") == "Zm9vYmFy");
    CHECK(base64_encode("\xfb\xff\xfe") == "+//+");
    CHECK(base64url_encode("\xfb\xff\xfe") == "-__-");
    CHECK(base64_decode("Zm9vYg==") == "foob");
    CHECK(base64_decode("Zm9vYg") == "foob");
    CHECK(base64_decode("-__-") == "\xfb\xff\xfe");
    CHECK(base64_decode("AAA=") == std::string(2, '\0'));
    CHECK(base64_decode("") == "");
}

TEST_CASE("what is not base64 is refused", "[base]")
{
    const auto* text = GENERATE("Z", "Zg=", "Zg===", "Z===", "Zm9v YmFy", "Zm9v\n", "Zh==", "Zm9=v", "====", "Zg==Zg==");
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text));
}

TEST_CASE("SHA-256 agrees with FIPS 180-4's examples", "[base]")
{
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("random text has the asked length and does not repeat", "[base]")
{
    const auto one = random_hex(16);

    CHECK(one.size() == 32);
    CHECK(one.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(one != random_hex(16));
    CHECK(random_hex(0).empty());
}

TEST_CASE("text from outside cannot drive a terminal", "[base]")
{
    CHECK(terminal_safe("plain\ttext é😀") == "plain\ttext é😀");
    CHECK(terminal_safe("\x1b]0;title\x07") == "^[]0;title^G");
    CHECK(terminal_safe("\x1b[2J\x1b[1A") == "^[[2J^[[1A");
    CHECK(terminal_safe("one\r\ntwo") == "one^M^Jtwo");
    CHECK(terminal_safe(std::string_view("a\0b", 3)) == "a^@b");
    CHECK(terminal_safe("\x7f") == "^?");
    CHECK(terminal_safe("\x9b\x41") == "\\x9bA");
    CHECK(terminal_safe("\xc2\x9b") == "\\xc2\\x9b");
    CHECK(terminal_safe("a\xe2\x80\xae b") == "a\\xe2\\x80\\xae b");
    CHECK(terminal_safe("cut \xe2\x82") == "cut \\xe2\\x82");
}

TEST_CASE("colours vanish or stay, other sequences never stay", "[base]")
{
    CHECK(terminal_safe("\x1b[1;31mred\x1b[0m") == "red");
    CHECK(terminal_safe("\x1b[1;31mred\x1b[0m", Colours::keep) == "\x1b[1;31mred\x1b[0m");
    CHECK(terminal_safe("\x1b[38:2::1:2:3mx", Colours::keep) == "\x1b[38:2::1:2:3mx");
    CHECK(terminal_safe("\x1b[31", Colours::keep) == "^[[31");
    CHECK(terminal_safe("\x1b[?25l", Colours::keep) == "^[[?25l");
    CHECK(terminal_safe("\x1b[" + std::string(100, '1') + "m", Colours::keep).starts_with("^[["));
}
