#include "pipeline/checks.hpp"
#include "pipeline/frontend/native.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

// Any bytes as a pipeline file: reading never fails, what was understood prints, and what is printed reads the same.

using namespace gantry::pipeline;

namespace {

Parsed parse(const std::string& text)
{
    return parse_native(".gantry.yml", [&](const std::string& path) {
        // Included files are small and fixed, so that the fuzzer reaches merging.
        if (path == ".gantry.yml")
            return std::optional(text);
        if (path == "docker-compose.yml" || path == "parts/docker-compose.yml")
            return std::optional<std::string>("services: { redis: { image: \"r:$A\", volumes: [\"d:/d\"] } }\nvolumes: { d: }\n");
        return path == "a.yml" ? std::optional<std::string>("env: { A: 1 }\nstages: [{ name: a, steps: [x] }]\n") : std::nullopt;
    });
}

void require(bool holds)
{
    if (!holds)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto parsed = parse(std::string(reinterpret_cast<const char*>(data), size));
    require(!render_text(parsed.diagnostics, parsed.sources).empty() == !parsed.diagnostics.empty());
    render_json(parsed.diagnostics, parsed.sources);
    render_sarif(parsed.diagnostics, parsed.sources, "0");
    require(check(parsed).size() >= parsed.diagnostics.size());
    const auto printed = print_native(parsed.definition);
    if (!parsed.ok())
        return 0;
    const auto again = parse(printed);
    require(again.ok());
    require(again.definition == parsed.definition);
    require(print_native(again.definition) == printed);
    return 0;
}
