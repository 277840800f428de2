#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

// Compose files as people wrote them: GANTRY_CORPUS names a folder whose folder `compose` has them. They stand alone
// there, so files beside them are made up.

using namespace gantry::pipeline;

namespace {

// Refusals that docs/compose.md tells of, and what only a file that is missing here can be the cause of.
bool is_documented(const Diagnostic& problem)
{
    const auto has = [&](const char* text) { return problem.message.find(text) != std::string::npos; };
    return problem.code == "unsupported" || (problem.code == "interpolation" && has("needs a value")) ||
           has("is outside of the repository") || (problem.code == "unknown-service" && has(".yml"));
}

} // namespace

TEST_CASE("Compose files of others are taken, or refused for what is documented", "[pipeline][compose][corpus]")
{
    const char* corpus = std::getenv("GANTRY_CORPUS");
    if (!corpus) {
        WARN("skipped: GANTRY_CORPUS is not set");
        return;
    }
    int taken = 0, refused = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(corpus) / "compose")) {
        const auto text = read_text(entry.path()).value();
        const auto parsed = parse_native(".gantry.yml", [&](const std::string& path) -> std::optional<std::string> {
            if (path == ".gantry.yml")
                return "image: x\ncompose: a/b/compose.yml\nsteps: [x]\n";
            if (path == "a/b/compose.yml")
                return text;
            if (path == "a/b/.env")
                return "COMPOSE_PROFILES=*\n";
            const auto is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
            return is_yaml ? std::optional<std::string>("services: { mender-base: { image: x } }\n")
                           : std::optional<std::string>("");
        });
        CAPTURE(entry.path().filename().string());
        std::string unexpected;
        for (const auto& problem : parsed.diagnostics)
            if (problem.severity == Severity::error && !is_documented(problem))
                unexpected += std::to_string(problem.mark.line) + ": " + problem.message + "\n";
        CHECK(unexpected == "");
        ++(parsed.ok() ? taken : refused);
        if (!parsed.ok())
            continue;
        const auto again = parse_text(print_native(parsed.definition));
        CHECK(problems_of(again) == "");
        CHECK(again.definition == parsed.definition);
    }
    WARN(taken << " files taken, " << refused << " refused for what is documented");
}
