// Archives against the readers of artifacts: whatever comes, what is kept makes a list that can be read again, so that no path and
// no link of it leads out; and what is handed on is a sound archive, below its folder.

#include "base/error.hpp"
#include "base/file.hpp"
#include "cache/artifact_store.hpp"
#include "runner/artifact_collector.hpp"
#include "runner/artifact_filter.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace gantry;
using namespace gantry::runner;

namespace {

constexpr std::size_t k_block = 512;

cache::ArtifactDraft& draft()
{
    static std::string folder = [] {
        std::string path = "/tmp/gantry-fuzz-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr)
            std::abort();
        return path;
    }();
    static cache::ArtifactStore store(folder);
    static cache::ArtifactDraft only = store.begin();
    [[maybe_unused]] static const bool once = [] {
        std::atexit([] { remove_tree(folder); });
        return true;
    }();
    return only;
}

// Every header gets the checksum that fits it, or nearly all mutations would end there.
std::string with_checksums(std::string bytes)
{
    bytes.resize((bytes.size() + k_block - 1) / k_block * k_block);
    for (std::size_t at = 0; at < bytes.size(); at += k_block) {
        if (bytes.compare(at + 257, 5, "ustar") != 0)
            continue;
        bytes.replace(at + 148, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = at; i < at + k_block; ++i)
            sum += static_cast<unsigned char>(bytes[i]);
        for (std::size_t digit = 6; digit > 0; --digit, sum >>= 3)
            bytes[at + 147 + digit] = static_cast<char>('0' + (sum & 7));
        bytes[at + 154] = '\0';
    }
    return bytes + std::string(2 * k_block, '\0');
}

class Below final : public TarSink {
public:
    void begin(const TarEntry& entry) override
    {
        if (!entry.path.starts_with("layer/") || entry.path.find("/../") != std::string::npos || entry.path.ends_with("/.."))
            std::abort();
    }
    void contents(std::string_view) override {}
    void end() override {}
};

void keep(const std::string& archive)
{
    ArtifactPatterns patterns({"."}, {"*.no"});
    cache::ArtifactLimits limits;
    limits.size_bytes = 1 << 20;
    limits.files = 1000;
    ArtifactCollector collector(&patterns, &draft(), limits, nullptr);
    try {
        collector.start("");
        TarReader reader(collector);
        reader.feed(archive);
        reader.finish();
    } catch (const Error&) {
        draft().drop_file();
    }
    cache::Manifest manifest;
    manifest.run = "1";
    manifest.artifacts = collector.take_artifacts();
    if (cache::parse_manifest(cache::print_manifest(manifest)) != manifest)
        std::abort();
}

void hand_on(const std::string& archive)
{
    ArtifactPatterns patterns({"."}, {});
    ArtifactFilter filter(patterns, "layer");
    std::string made;
    try {
        filter.start("", {});
        TarReader reader(filter);
        reader.feed(archive);
        reader.finish();
        made = filter.take_made();
    } catch (const Error&) {
        return; // nobody gets what was made so far
    }
    Below below;
    TarReader again(below);
    again.feed(made + tar_end());
    again.finish();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto archive = with_checksums(std::string(reinterpret_cast<const char*>(data), size));
    keep(archive);
    hand_on(archive);
    return 0;
}
