#include "pipeline/frontend/native.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

// Any bytes as a Compose file: reading never fails, and the services that were understood print as services of our own
// that read the same.

using namespace gantry::pipeline;

namespace {

Parsed parse(const std::string& pipeline, const std::string& compose)
{
    return parse_native(".gantry.yml", [&](const std::string& path) -> std::optional<std::string> {
        if (path == ".gantry.yml")
            return pipeline;
        if (path == "ci/compose.yml" || path == "ci/again.yml")
            return compose; // merged with itself, and so that it may include and extend itself
        if (path == "ci/base.yml")
            return "services: { base: { image: base, environment: { A: $A }, volumes: [\"./x:/x\"], ports: [80] } }\n";
        if (path == "ci/.env")
            return "A=1\nB=${A}2\nCOMPOSE_PROFILES=a,b\n";
        return path == "ci/a.env" ? std::optional<std::string>("X=${B}\n") : std::nullopt;
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
    const std::string compose(reinterpret_cast<const char*>(data), size);
    const auto parsed =
        parse("env: { E: \"${{ sha }}\" }\nimage: x\ncompose: [ci/compose.yml, ci/again.yml]\nsteps: [x]\n", compose);
    require(render_text(parsed.diagnostics, parsed.sources).empty() == parsed.diagnostics.empty());
    if (!parsed.ok())
        return 0;
    const auto printed = print_native(parsed.definition);
    const auto again = parse(printed, "");
    require(again.ok());
    require(again.definition == parsed.definition);
    return 0;
}
