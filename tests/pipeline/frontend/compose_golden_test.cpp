#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdlib>

// Folders of tests/data/pipeline/compose: a pipeline and its Compose files. `printed` is the pipeline as it is
// understood, `problems` what is wrong with it, where there is something. UPDATE_GOLDEN=1 rewrites both.

using namespace gantry::pipeline;

namespace {

std::vector<std::filesystem::path> folders()
{
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() / "compose"))
        folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    return folders;
}

void check_golden(const std::filesystem::path& file, const std::string& text)
{
    if (std::getenv("UPDATE_GOLDEN")) {
        std::filesystem::remove(file);
        if (!text.empty())
            std::ofstream(file, std::ios::binary) << text;
        WARN("rewrote " + file.string() + ": look at the difference");
        return;
    }
    CHECK(read_text(file).value_or("") == text);
}

} // namespace

TEST_CASE("every Compose file becomes services in our own words, or is told all that is wrong",
          "[pipeline][compose][golden]")
{
    REQUIRE(folders().size() >= 6);
    for (const auto& folder : folders()) {
        CAPTURE(folder.filename().string());
        const auto parsed = parse_native(".gantry.yml", [&](const std::string& path) -> std::optional<std::string> {
            return std::filesystem::is_regular_file(folder / path) ? read_text(folder / path) : std::nullopt;
        });
        check_golden(folder / "problems", problems_of(parsed));
        check_golden(folder / "printed", parsed.ok() ? print_native(parsed.definition) : "");
        if (!parsed.ok())
            continue;
        const auto again = parse_text(print_native(parsed.definition));
        CHECK(problems_of(again) == "");
        CHECK(again.definition == parsed.definition);
    }
}
