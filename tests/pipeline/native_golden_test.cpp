#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdlib>

// Files of tests/data/pipeline: good/*.yml print as *.printed, bad/*.yml have the problems of *.problems.
// UPDATE_GOLDEN=1 rewrites what is expected.

using namespace gantry::pipeline;

namespace {

std::vector<std::filesystem::path> files_in(const char* folder)
{
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() / folder))
        if (entry.path().extension() == ".yml")
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

Parsed parse_file(const std::filesystem::path& file)
{
    const auto folder = file.parent_path();
    return parse_native(file.filename().string(), [folder](const std::string& path) { return read_text(folder / path); });
}

void check_golden(std::filesystem::path file, const char* extension, const std::string& text)
{
    file.replace_extension(extension);
    if (std::getenv("UPDATE_GOLDEN")) {
        std::ofstream(file, std::ios::binary) << text;
        WARN("rewrote " + file.string() + ": look at the difference");
        return;
    }
    CHECK(read_text(file).value_or("(no such file)") == text);
}

} // namespace

TEST_CASE("every good file is understood, and printing it loses nothing", "[pipeline][golden]")
{
    REQUIRE(files_in("good").size() >= 3);
    for (const auto& file : files_in("good")) {
        CAPTURE(file.filename().string());
        const auto parsed = parse_file(file);
        CHECK(problems_of(parsed) == "");

        const auto printed = print_native(parsed.definition);
        check_golden(file, ".printed", printed);
        const auto again = parse_text(printed);
        CHECK(problems_of(again) == "");
        CHECK(again.definition == parsed.definition);
    }
}

TEST_CASE("every bad file gets exactly the problems that it has", "[pipeline][golden]")
{
    REQUIRE(files_in("bad").size() >= 3);
    for (const auto& file : files_in("bad")) {
        CAPTURE(file.filename().string());
        const auto parsed = parse_file(file);
        CHECK_FALSE(parsed.ok());
        check_golden(file, ".problems", problems_of(parsed));
    }
}
