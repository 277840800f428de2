// Archives against the writer of --in-place: whatever comes, the files beside the folder stay as they are and no name
// appears there.

#include "base/error.hpp"
#include "base/file.hpp"
#include "runner/snapshot.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;

namespace {

// One for the whole process: <root>/canary beside <root>/a/b, where the archive goes.
const std::string& root_folder()
{
    static const std::string root = [] {
        std::string path = "/tmp/gantry-fuzz-XXXXXX";
        if (::mkdtemp(path.data()) == nullptr)
            std::abort();
        make_directories(path + "/a", 0700);
        write_file_atomic(path + "/canary", "alive", 0600);
        static const std::string doomed = path;
        std::atexit([] { remove_tree(doomed); });
        return path;
    }();
    return root;
}

int count_names(const std::string& folder)
{
    DIR* const stream = ::opendir(folder.c_str());
    if (stream == nullptr)
        std::abort();
    int count = 0;
    while (::readdir(stream) != nullptr)
        ++count;
    ::closedir(stream);
    return count;
}

// Every header gets the checksum that fits it, or nearly all mutations would end there.
std::string with_checksums(std::string bytes)
{
    bytes.resize((bytes.size() + 511) / 512 * 512);
    for (std::size_t at = 0; at < bytes.size(); at += 512) {
        if (bytes.compare(at + 257, 5, "ustar") != 0)
            continue;
        bytes.replace(at + 148, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = at; i < at + 512; ++i)
            sum += static_cast<unsigned char>(bytes[i]);
        for (std::size_t digit = 6; digit > 0; --digit, sum >>= 3)
            bytes[at + 147 + digit] = static_cast<char>('0' + (sum & 7));
        bytes[at + 154] = '\0';
    }
    return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string& root = root_folder();
    const std::string folder = root + "/a/b";
    make_directories(folder + "/.git", 0700);
    if (::symlink("../..", (folder + "/up").c_str()) != 0 && ::access(folder.c_str(), F_OK) != 0)
        std::abort();
    try {
        const auto writer = make_tree_writer(folder, 1 << 20);
        writer->feed(with_checksums(std::string(reinterpret_cast<const char*>(data), size)));
        // The seeds come without the empty blocks at the end, so that mutations do not have to keep them.
        writer->feed(std::string(1024, '\0'));
        writer->finish();
    } catch (const Error&) {
    }
    if (read_file(root + "/canary", 16) != "alive" || count_names(root) != 4 || count_names(root + "/a") != 3 ||
        count_names(folder + "/.git") != 2)
        std::abort();
    remove_tree(folder);
    return 0;
}
