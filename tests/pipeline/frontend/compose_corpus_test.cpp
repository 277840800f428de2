#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <cctype>
#include <cstdlib>

// Compose files as people wrote them: GANTRY_CORPUS names a folder whose folder `compose` has them. They stand alone
// there, so what is beside them is made up: other files, values of variables by their names, and images of services that
// only change those of another file.

using namespace gantry::pipeline;

namespace {

bool is_documented(const Diagnostic& problem)
{
    const auto has = [&](const char* text) { return problem.message.find(text) != std::string::npos; };
    const bool is_of_a_generator = has("[% NAME %]"); // that makes Compose files of it
    return is_of_a_generator || problem.code == "unsupported" || has("containers cannot have one port of the host");
}

std::string value_of(const std::string& name)
{
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    if (has("TAG") || has("VERSION"))
        return "1.2";
    if (has("PORT") || has("BIND"))
        return "8080";
    if (name == "UID" || name == "GID")
        return "1000";
    if (has("RESTART"))
        return "always";
    if (has("RETRIES") || has("REPLICAS") || has("COUNT"))
        return "3";
    if (has("INTERVAL") || has("TIMEOUT") || has("PERIOD"))
        return "2s";
    if (has("MEM") || has("SIZE"))
        return "64m";
    return has("PATH") || has("FOLDER") || has("FILE") || has("CONFIG") ? "./made/up" : "value";
}

std::string env_of(const std::string& text)
{
    std::string env = "COMPOSE_PROFILES=*\n";
    for (auto at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
        auto start = at + 1;
        start += start < text.size() && text[start] == '{' ? 1 : 0;
        auto end = start;
        while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
            ++end;
        const auto name = text.substr(start, end - start);
        const bool has_default = text.compare(end, 2, ":-") == 0 || text.compare(end, 1, "-") == 0;
        if (!name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) && !has_default)
            env += name + "=" + value_of(name) + "\n";
    }
    return env;
}

Parsed parse_alone(const std::string& text, const std::string& base)
{
    return parse_native(".gantry.yml", [&](const std::string& path) -> std::optional<std::string> {
        if (path == ".gantry.yml")
            return "image: x\ncompose: [" + std::string(base.empty() ? "" : "a/b/base.yml, ") +
                   "a/b/compose.yml]\nsteps: [x]\n";
        if (path == "a/b/compose.yml")
            return text;
        if (path == "a/b/base.yml")
            return base;
        if (path == "a/b/.env")
            return env_of(text);
        return path == "a/b/common.yml" ? "services: { mender-base: { image: x } }\n" : "";
    });
}

// A file with an image for each service that has none.
std::string base_for(const Parsed& parsed)
{
    std::string base;
    for (const auto& problem : parsed.diagnostics)
        if (problem.code == "missing-key" && problem.path.rfind("services.", 0) == 0)
            base += "  " + problem.path.substr(9) + ": { image: x }\n";
    return base.empty() ? base : "services:\n" + base;
}

std::string unexpected_of(const Parsed& parsed)
{
    Diagnostics unexpected;
    for (const auto& problem : parsed.diagnostics)
        if (problem.severity == Severity::error && !is_documented(problem))
            unexpected.push_back(problem);
    return render_text(unexpected, parsed.sources);
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
        CAPTURE(entry.path().filename().string());
        const auto text = read_text(entry.path()).value();
        const auto parsed = parse_alone(text, base_for(parse_alone(text, "")));
        CHECK(unexpected_of(parsed) == "");
        ++(parsed.ok() ? taken : refused);
        if (!parsed.ok())
            continue;
        const auto again = parse_text(print_native(parsed.definition));
        CHECK(problems_of(again) == "");
        CHECK(again.definition == parsed.definition);
    }
    WARN(taken << " files taken, " << refused << " refused for what is documented");
}
