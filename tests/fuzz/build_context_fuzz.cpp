// The context of a build: rules and an archive from the input. However the archive is cut, the same passes, and what passes is
// an archive again. First byte: how it is cut; then .dockerignore up to an empty line; then the archive.

#include "base/error.hpp"
#include "runner/context_filter.hpp"
#include "runner/dockerfile.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace gantry;
using namespace gantry::runner;

namespace {

struct Passed {
    std::string bytes;
    bool failed = false;
};

Passed filtered(const IgnoreRules& rules, std::string_view bytes, std::size_t piece_bytes, bool is_file)
{
    ContextFilter::Options options;
    options.rules = rules;
    options.keep = {"Dockerfile"};
    options.is_file = is_file;
    ContextFilter filter(std::move(options));
    Passed passed;
    try {
        for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_bytes, bytes.size())))
            filter.feed(bytes.substr(0, piece_bytes), passed.bytes);
        filter.finish(passed.bytes);
    } catch (const Error&) {
        passed.failed = true;
    }
    return passed;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::size_t piece_bytes = 1 + data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto gap = input.find("\n\n");
    const auto text = input.substr(0, gap);
    const auto archive = gap == std::string_view::npos ? std::string_view() : input.substr(gap + 2);
    (void)instruction_lines(text);
    IgnoreRules rules;
    try {
        rules = IgnoreRules(text);
    } catch (const Error&) {
        return 0;
    }
    for (const bool is_file : {false, true}) {
        const auto whole = filtered(rules, archive, std::max<std::size_t>(1, archive.size()), is_file);
        const auto pieces = filtered(rules, archive, piece_bytes, is_file);
        if (whole.failed != pieces.failed || (!whole.failed && whole.bytes != pieces.bytes))
            std::abort(); // the split made a difference
        if (!whole.failed && !is_file && filtered({}, whole.bytes, 512, false).failed)
            std::abort(); // what passed is no archive
    }
    return 0;
}
