#include "base/error.hpp"
#include "base/tar_format.hpp"
#include "runner/context_filter.hpp"
#include "support/catch.hpp"
#include "support/tar_bytes.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

using namespace gantry;
using runner::ContextFilter;

namespace {

struct Entry {
    std::string path;
    char type = '0'; // as in a header
    std::string contents, link;
    int mode = 0644;
    std::int64_t time = 1'700'000'000;
    std::string attribute; // user.note
    friend bool operator==(const Entry&, const Entry&) = default;
};

la_ssize_t append(archive*, void* to, const void* data, std::size_t size)
{
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
}

std::string pack(const std::vector<Entry>& entries, bool gnu = false)
{
    std::string bytes;
    const std::unique_ptr<archive, int (*)(archive*)> to(archive_write_new(), archive_write_free);
    if (gnu)
        archive_write_set_format_gnutar(to.get());
    else
        archive_write_set_format_pax_restricted(to.get());
    archive_write_open(to.get(), &bytes, nullptr, append, nullptr);
    for (const auto& one : entries) {
        const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
        archive_entry_set_pathname(entry.get(), one.path.c_str());
        archive_entry_set_perm(entry.get(), static_cast<mode_t>(one.mode));
        archive_entry_set_mtime(entry.get(), one.time, 0);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(one.contents.size()));
        archive_entry_set_filetype(entry.get(), one.type == '5' ? AE_IFDIR : one.type == '2' ? AE_IFLNK : AE_IFREG);
        if (one.type == '1')
            archive_entry_set_hardlink(entry.get(), one.link.c_str());
        if (one.type == '2')
            archive_entry_set_symlink(entry.get(), one.link.c_str());
        if (!one.attribute.empty())
            archive_entry_xattr_add_entry(entry.get(), "user.note", one.attribute.data(), one.attribute.size());
        REQUIRE(archive_write_header(to.get(), entry.get()) >= ARCHIVE_WARN); // of the name's character set
        archive_write_data(to.get(), one.contents.data(), one.contents.size());
    }
    archive_write_close(to.get());
    return bytes;
}

std::vector<Entry> unpack(const std::string& bytes)
{
    std::vector<Entry> entries;
    const std::unique_ptr<archive, int (*)(archive*)> from(archive_read_new(), archive_read_free);
    archive_read_support_format_tar(from.get());
    REQUIRE(archive_read_open_memory(from.get(), bytes.data(), bytes.size()) == ARCHIVE_OK);
    archive_entry* entry = nullptr;
    int code = 0;
    while ((code = archive_read_next_header(from.get(), &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
        Entry one;
        one.path = archive_entry_pathname(entry);
        one.mode = static_cast<int>(archive_entry_perm(entry));
        one.time = archive_entry_mtime(entry);
        if (const char* link = archive_entry_hardlink(entry)) {
            one.type = '1';
            one.link = link;
        } else if (archive_entry_filetype(entry) == AE_IFLNK) {
            one.type = '2';
            one.link = archive_entry_symlink(entry);
        } else if (archive_entry_filetype(entry) == AE_IFDIR) {
            one.type = '5';
        }
        one.contents.resize(static_cast<std::size_t>(archive_entry_size(entry)));
        if (one.type == '0')
            archive_read_data(from.get(), one.contents.data(), one.contents.size());
        else
            one.contents.clear();
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        archive_entry_xattr_reset(entry);
        if (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
            one.attribute.assign(static_cast<const char*>(value), size);
        entries.push_back(one);
    }
    CHECK(code == ARCHIVE_EOF);
    return entries;
}

std::string filtered(ContextFilter::Options options, const std::string& bytes, std::size_t piece)
{
    ContextFilter filter(std::move(options));
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        filter.feed(std::string_view(bytes).substr(at, piece), out);
    filter.finish(out);
    return out;
}

ContextFilter::Options rules(const std::string& text, std::set<std::string> keep = {})
{
    ContextFilter::Options options;
    options.rules = runner::IgnoreRules(text);
    options.keep = std::move(keep);
    return options;
}

const std::string k_long = std::string(90, 'd') + "/" + std::string(120, 'e') + "/" + std::string(200, 'f');

std::vector<Entry> project(const std::string& top)
{
    return {
        {top + "/", '5', "", "", 0755},
        {top + "/Dockerfile", '0', "FROM busybox\n"},
        {top + "/src/", '5', "", "", 0700},
        {top + "/src/main.c", '0', std::string(1000, 'm'), "", 0600},
        {top + "/src/empty", '0', ""},
        {top + "/src/block", '0', std::string(1024, 'b')},
        {top + "/run.sh", '0', "#!/bin/sh\n", "", 04755, 1'000'000'000, "kept"},
        {top + "/link", '2', "", "src/main.c", 0777},
        {top + "/hard", '1', "", top + "/run.sh"},
        {top + "/" + k_long, '0', "long"},
        {top + "/caf\xc3\xa9", '0', "name"},
        {top + "/to-long", '2', "", "/" + k_long, 0777},
        {top + "/node_modules/", '5', "", "", 0755},
        {top + "/node_modules/x.js", '0', std::string(700, 'x')},
    };
}

} // namespace

TEST_CASE("a context is what is below the folder, with everything that a file has", "[context_filter]")
{
    auto expected = project("");
    expected.erase(expected.begin());
    for (auto& entry : expected) {
        entry.path = entry.path.substr(1);
        if (entry.type == '1')
            entry.link = entry.link.substr(1);
    }
    for (const bool gnu : {false, true}) {
        for (auto& entry : expected)
            entry.attribute = gnu || entry.path != "run.sh" ? "" : "kept"; // GNU's has no attributes
        auto hard = std::find_if(expected.begin(), expected.end(), [](const Entry& entry) { return entry.type == '1'; });
        for (const std::size_t piece : {1U, 7U, 512U, 513U, 1U << 20U}) {
            INFO("gnu " << gnu << ", pieces of " << piece);
            const auto found = unpack(filtered({}, pack(project("workspace"), gnu), piece));
            REQUIRE(found.size() == expected.size());
            for (std::size_t i = 0; i < found.size(); ++i) {
                INFO(found[i].path);
                CHECK(found[i].path == expected[i].path);
                if (&expected[i] != &*hard) {
                    CHECK(found[i] == expected[i]);
                } else {
                    CHECK(found[i].link == expected[i].link);
                }
            }
        }
    }
}

TEST_CASE("what is ignored is not sent, and the Dockerfile always is", "[context_filter]")
{
    const auto bytes = pack(project("workspace"));
    const auto names = [&](ContextFilter::Options options) {
        std::vector<std::string> found;
        for (const auto& entry : unpack(filtered(std::move(options), bytes, 333)))
            found.push_back(entry.path);
        return found;
    };
    CHECK(names(rules("*\n!src", {"Dockerfile", ".dockerignore"})) ==
          std::vector<std::string>{"Dockerfile", "src/", "src/main.c", "src/empty", "src/block"});
    CHECK(names(rules("*")).empty());
    CHECK(names(rules("node_modules\nsrc\nlink\nhard\nrun.sh\n" + k_long.substr(0, 90) + "\ncaf*\nto-long")) ==
          std::vector<std::string>{"Dockerfile"});
    auto replaced = rules("src\n*o*s\nlink\nhard\nrun.sh\nd*\nc*\nto-long");
    replaced.replaced = {"Dockerfile"};
    CHECK(names(replaced).empty());
}

TEST_CASE("a hard link to what is left out is refused", "[context_filter]")
{
    CHECK_THROWS_WITH(filtered(rules("run.sh"), pack(project("workspace")), 4096),
                      "hard is a hard link to run.sh, which .dockerignore leaves out");
    auto options = rules("");
    options.replaced = {"run.sh"};
    CHECK_THROWS_WITH(filtered(options, pack(project("workspace")), 4096), "hard is a hard link to run.sh, in whose place another file is sent");
    options.rules = runner::IgnoreRules("hard");
    CHECK_NOTHROW(filtered(options, pack(project("workspace")), 4096));
}

TEST_CASE("files can be added, and what passed is counted", "[context_filter]")
{
    ContextFilter filter(rules("node_modules"));
    std::string out;
    ContextFilter::add_file(".dockerfile.x", "FROM scratch\n", out);
    filter.feed(pack(project("workspace")), out);
    filter.finish(out);
    const auto found = unpack(out);
    CHECK(found.front().path == ".dockerfile.x");
    CHECK(found.front().contents == "FROM scratch\n");
    CHECK(filter.files() == 7);
    CHECK(filter.bytes() == 13 + 1000 + 1024 + 10 + 4 + 4);
}

TEST_CASE("the file that is to be shown is kept while it passes", "[context_filter]")
{
    const auto shown = [](const std::string& name, const std::vector<Entry>& entries, std::size_t piece) {
        auto options = rules("node_modules");
        options.shown = name;
        ContextFilter filter(std::move(options));
        const auto bytes = pack(entries);
        std::string out;
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            filter.feed(std::string_view(bytes).substr(at, piece), out);
        filter.finish(out);
        return filter.shown();
    };
    const auto files = project("workspace");
    for (const std::size_t piece : {1U, 513U, 1U << 20U}) {
        CHECK(shown("Dockerfile", files, piece) == "FROM busybox\n");
        CHECK(shown("src/main.c", files, piece) == std::string(1000, 'm'));
        CHECK(shown(k_long, files, piece) == "long");
        CHECK(shown("src/empty", files, piece) == "");
    }
    for (const auto* other : {"", "nowhere", "main.c", "src", "link", "hard", "node_modules/x.js"})
        CHECK(shown(other, files, 512) == std::nullopt);
    CHECK(shown("a", {{"x/a", '0', std::string(1 << 20, 'a')}}, 512)->size() == 1 << 20);
    CHECK(shown("a", {{"x/a", '0', std::string((1 << 20) + 1, 'a')}}, 512) == std::nullopt);
}

TEST_CASE("a file that holds the context passes as it is", "[context_filter]")
{
    ContextFilter::Options options;
    options.is_file = true;
    const std::string context = pack(project("x")) + "odd";
    for (const std::size_t piece : {1U, 513U, 1U << 20U})
        CHECK(filtered(options, pack({{"context.tar", '0', context, "", 0644, 1, "note"}}), piece) == context);
    for (const auto& entries : {project("context.tar"), {{"context.tar", '2', "", "elsewhere"}}})
        CHECK_THROWS_WITH(filtered(options, pack(entries), 512), "it is no plain file");
}

TEST_CASE("an empty folder in the place of a file passes as an empty file", "[context_filter]")
{
    ContextFilter::Options options;
    options.is_file = true;
    for (const std::size_t piece : {1U, 1U << 20U})
        CHECK(filtered(options, pack({{"ignore/", '5', "", "", 0755}}), piece).empty());
    CHECK_THROWS_WITH(filtered(options, pack({{"ignore/", '5', "", "", 0755}, {"ignore/x", '0', "x"}}), 512), "it is no plain file");
}

TEST_CASE("names and further records have a megabyte and no more", "[context_filter]")
{
    for (const char type : {'x', 'g', 'L', 'K'}) {
        INFO(type);
        ContextFilter filter({});
        std::string out;
        CHECK_NOTHROW(filter.feed(test::tar_block("long", type, "00004000000"), out));
        CHECK_THROWS_WITH(ContextFilter({}).feed(test::tar_block("long", type, "00004000001"), out),
                          "the archive is damaged: a name has more than a megabyte");
    }
    const std::string longest(k_tar_extension_limit_bytes, 'n');
    ContextFilter filter({});
    std::string out;
    filter.feed(test::archive_of({test::tar_block("long", 'L', "00004000000") + longest, test::tar_file("x/a", "one")}), out);
    filter.finish(out);
    CHECK(filter.bytes() == 0); // without a '/' it is the folder itself
}

TEST_CASE("an archive that is cut off or damaged makes no context", "[context_filter]")
{
    const auto bytes = pack(project("workspace"));
    const auto last = bytes.find(std::string(700, 'x')) + 1024; // only the end is missing
    for (const std::size_t length : {std::size_t{0}, std::size_t{100}, std::size_t{512}, std::size_t{2000}, last}) {
        INFO(length);
        try {
            filtered({}, bytes.substr(0, length), 512);
            FAIL("no error");
        } catch (const Error& error) {
            CHECK(error.code() == Errc::unavailable);
        }
    }
    auto broken = bytes;
    broken.replace(124, 11, "no number!!");
    CHECK_THROWS_AS(filtered({}, broken, 512), Error);
}
