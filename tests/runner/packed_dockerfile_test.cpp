#include "runner/packed_dockerfile.hpp"

#include "runner/tar.hpp"
#include "support/catch.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <string>

using namespace gantry::runner;

namespace {

std::string archive_with(const std::string& before, const std::string& path, const std::string& text)
{
    TarBuilder archive;
    archive.add_folder("./", 0755);
    archive.add_file("./first", 0644, before);
    archive.add_file(path, 0644, text);
    return archive.finish();
}

// By libarchive's name of it.
std::string packed(const std::string& bytes, const std::string& filter)
{
    if (filter == "none")
        return bytes;
    auto* writer = archive_write_new();
    archive_write_set_bytes_in_last_block(writer, 1);
    REQUIRE(archive_write_set_format_raw(writer) == ARCHIVE_OK);
    REQUIRE(archive_write_add_filter_by_name(writer, filter.c_str()) == ARCHIVE_OK);
    std::string out;
    const auto append = [](archive*, void* target, const void* data, std::size_t size) -> la_ssize_t {
        static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
    };
    REQUIRE(archive_write_open(writer, &out, nullptr, append, nullptr) == ARCHIVE_OK);
    auto* entry = archive_entry_new();
    archive_entry_set_filetype(entry, 0100000);
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    REQUIRE(archive_write_data(writer, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
    REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
    archive_write_free(writer);
    return out;
}

std::optional<std::string> found(const std::string& archive, const std::string& path = "Dockerfile")
{
    PackedDockerfile dockerfile(path);
    for (std::size_t at = 0; at < archive.size(); at += 1000)
        dockerfile.see(std::string_view(archive).substr(at, 1000));
    return dockerfile.find();
}

} // namespace

TEST_CASE("the Dockerfile of an archive is found however it is packed and named", "[runner]")
{
    const auto filter = GENERATE("none", "gzip", "bzip2", "xz", "zstd");
    CAPTURE(filter);
    CHECK(found(packed(archive_with("x", "./Dockerfile", "FROM a\n"), filter)) == "FROM a\n");
    CHECK(found(packed(archive_with("x", "api/Dockerfile", "FROM b\n"), filter), "./api//Dockerfile") == "FROM b\n");
}

TEST_CASE("an archive without a Dockerfile, or with one out of reach, has none", "[runner]")
{
    CHECK_FALSE(found(archive_with("x", "other/Dockerfile", "FROM a\n")));
    CHECK_FALSE(found(""));
    CHECK_FALSE(found("no archive at all"));
    const auto whole = archive_with("x", "Dockerfile", "FROM a\n");
    CHECK_FALSE(found(whole.substr(0, 2000)));
    CHECK_FALSE(found(archive_with(std::string(5 << 20, 'x'), "Dockerfile", "FROM a\n"))); // more than is kept
    CHECK_FALSE(found(archive_with("x", "Dockerfile", std::string((1 << 20) + 1, '\n'))));
    CHECK_FALSE(found(packed(archive_with(std::string(40 << 20, 'x'), "Dockerfile", "FROM a\n"), "gzip"))); // more than is read
    CHECK(found(packed(archive_with(std::string(20 << 20, 'x'), "Dockerfile", "FROM a\n"), "gzip")) == "FROM a\n");
}
