#include "runner/service_files.hpp"

#include "runner/tar.hpp"
#include "support/catch.hpp"
#include "support/plan_builder.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <map>

using namespace gantry;
using namespace gantry::test;
using runner::FileArchive;
using runner::PlacedFile;

namespace {

struct Found {
    unsigned type = 0;
    int mode = 0;
    int uid = 0;
    std::string contents, link;
};

std::map<std::string, Found> unpacked(const std::string& bytes)
{
    std::map<std::string, Found> found;
    auto* reader = archive_read_new();
    archive_read_support_format_tar(reader);
    REQUIRE(archive_read_open_memory(reader, bytes.data(), bytes.size()) == ARCHIVE_OK);
    archive_entry* entry = nullptr;
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
        auto& one = found[archive_entry_pathname(entry)];
        one.type = archive_entry_filetype(entry);
        one.mode = static_cast<int>(archive_entry_perm(entry));
        one.uid = static_cast<int>(archive_entry_uid(entry));
        if (const char* link = archive_entry_symlink(entry))
            one.link = link;
        std::string block(1024, '\0');
        for (la_ssize_t size; (size = archive_read_data(reader, block.data(), block.size())) > 0;)
            one.contents.append(block.data(), static_cast<std::size_t>(size));
    }
    archive_read_free(reader);
    return found;
}

PlacedFile placed(const std::string& target)
{
    PlacedFile file;
    file.target = target;
    return file;
}

} // namespace

TEST_CASE("a file with content stands at its target", "[services]")
{
    FileArchive archive;
    auto file = placed("/etc/app/site.conf");
    file.content = "listen 80\n";
    file.uid = 33;
    archive.add_content(file);
    const auto found = unpacked(archive.finish());
    REQUIRE(found.count("etc/app/site.conf") == 1);
    CHECK(found.at("etc/app/site.conf").contents == "listen 80\n");
    CHECK(found.at("etc/app/site.conf").mode == 0444);
    CHECK(found.at("etc/app/site.conf").uid == 33);
}

TEST_CASE("a file of the workspace keeps its mode unless another is asked for", "[services]")
{
    runner::TarBuilder packed;
    packed.add_file("init.sh", 0755, "true\n");
    const auto bytes = packed.finish();

    FileArchive archive;
    archive.add_packed(placed("/docker-entrypoint-initdb.d/first.sh"), bytes);
    auto other = placed("/second.sh");
    other.mode = 0400;
    archive.add_packed(other, bytes);
    const auto found = unpacked(archive.finish());
    CHECK(found.at("docker-entrypoint-initdb.d/first.sh").mode == 0755);
    CHECK(found.at("docker-entrypoint-initdb.d/first.sh").contents == "true\n");
    CHECK(found.at("second.sh").mode == 0400);
}

TEST_CASE("a folder of the workspace becomes its target", "[services]")
{
    runner::TarBuilder packed;
    packed.add_folder("data", 0750);
    packed.add_folder("data/deep", 0755);
    packed.add_file("data/deep/one", 0644, "1");
    FileArchive archive;
    archive.add_packed(placed("/srv/www"), packed.finish());
    const auto found = unpacked(archive.finish());
    CHECK(found.at("srv/www/").mode == 0750);
    CHECK(found.at("srv/www/deep/one").contents == "1");
    CHECK(found.size() == 3);
}

TEST_CASE("files are computed, and their targets are paths from the root", "[services]")
{
    auto a_stage = stage("a", {}, {step("one")});
    pipeline::Service service;
    service.name = "db";
    pipeline::ContainerFile file;
    file.target = pipeline::Text("/etc/name");
    file.content = pipeline::Text(std::vector{pipeline::Text::Part{true, "branch", {}}});
    service.files = {file};
    a_stage.services = {service};
    const auto plan = plan_of({a_stage});
    runner::ServiceContext context;
    context.plan = &plan;
    context.stage = &plan.stages[0];
    context.service = &plan.stages[0].services[0];
    const auto files = lower_files(context);
    REQUIRE(files.size() == 1);
    CHECK(files[0].content == "main");

    for (const char* bad : {"etc/name", "/", ""}) {
        auto changed = plan;
        changed.stages[0].services[0].files[0].target = pipeline::Text(bad);
        context.plan = &changed;
        context.stage = &changed.stages[0];
        context.service = &changed.stages[0].services[0];
        CHECK_THROWS_AS(lower_files(context), Error);
    }
}
