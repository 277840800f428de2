#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "scratch.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace gantry;

namespace {

struct Recorder {
    std::vector<std::string> lines;

    Log log(LogLevel level)
    {
        return make_log(level, [this](LogLevel of_line, std::string_view line) {
            lines.push_back(std::string(to_string(of_line)) + ": " + std::string(line));
        });
    }
};

std::string line_with(std::string_view value)
{
    Recorder recorder;
    recorder.log(LogLevel::info).info("x", {{"v", value}});
    return recorder.lines.at(0);
}

} // namespace

TEST_CASE("a log line is a phrase, the context's fields and its own", "[base]")
{
    Recorder recorder;
    const auto log = recorder.log(LogLevel::debug).with("run", "12").with("step", "unit tests");

    log.debug("pull image", {{"image", "alpine:3.20"}, {"ms", "12"}});
    log.info("step finished");

    CHECK(recorder.lines == std::vector<std::string>{
                                "debug: pull image run=12 step=\"unit tests\" image=alpine:3.20 ms=12",
                                "info: step finished run=12 step=\"unit tests\"",
                            });
}

TEST_CASE("lines below the level are not written", "[base]")
{
    Recorder recorder;
    const auto log = recorder.log(LogLevel::warn);

    log.error("a");
    log.warn("b");
    log.info("c");
    log.debug("d");
    log.trace("e");

    CHECK(recorder.lines == std::vector<std::string>{"error: a", "warn: b"});
    CHECK(log.enabled(LogLevel::warn));
    CHECK_FALSE(log.enabled(LogLevel::info));
}

TEST_CASE("adding context leaves the log that it was added to alone", "[base]")
{
    Recorder recorder;
    const auto log = recorder.log(LogLevel::info);
    const auto child = log.with("run", "1");

    log.info("a");
    child.info("b");

    CHECK(recorder.lines == std::vector<std::string>{"info: a", "info: b run=1"});
}

TEST_CASE("values are quoted and escaped where they need it", "[base]")
{
    CHECK(line_with("plain/é-1.2") == "info: x v=plain/é-1.2");
    CHECK(line_with("") == "info: x v=\"\"");
    CHECK(line_with("a=b") == "info: x v=\"a=b\"");
    CHECK(line_with("say \"hi\"") == "info: x v=\"say \\\"hi\\\"\"");
    CHECK(line_with("back\\slash") == "info: x v=\"back\\\\slash\"");
    CHECK(line_with("two\nlines") == "info: x v=\"two\\nlines\"");
}

TEST_CASE("text from outside can neither forge a line nor drive the terminal", "[base]")
{
    CHECK(line_with("\x1b[2J").find('\x1b') == std::string::npos);
    CHECK(line_with("a\r\nerror: forged").find('\r') == std::string::npos);

    Recorder recorder;
    recorder.log(LogLevel::info).info("phrase\nerror: forged");
    CHECK(recorder.lines.at(0).find('\n') == std::string::npos);
}

TEST_CASE("a long value is cut between characters and says so", "[base]")
{
    std::string value(8191, 'a');
    value += "é and more";

    const auto line = line_with(value);

    CHECK(line == "info: x v=\"" + std::string(8191, 'a') + "…\"");
}

TEST_CASE("a null log writes nothing and can be given context", "[base]")
{
    const Log log;

    CHECK_FALSE(log.with("run", "1").enabled(LogLevel::error));
    CHECK_NOTHROW(log.with("run", "1").error("nobody hears"));
}

TEST_CASE("a line that is written out has its time and level in front", "[base]")
{
    const Scratch scratch;
    const auto path = scratch / "gantry.log";
    {
        const Fd file = open_append(path, 0600);
        make_fd_log(LogLevel::info, file.get()).info("first", {{"n", "1"}});
        make_fd_log(LogLevel::info, file.get()).error("second");
    }

    const auto text = read_file(path, 1000);
    CHECK(text.substr(4, 1) == "-");
    CHECK(text.substr(24, 16) == " info first n=1\n");
    CHECK(text.substr(40 + 24) == " error second\n");
}

TEST_CASE("level names are found, others are not", "[base]")
{
    CHECK(find_log_level("debug") == LogLevel::debug);
    CHECK_FALSE(find_log_level("verbose"));
}
