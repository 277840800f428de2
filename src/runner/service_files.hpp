#pragma once

#include "engine/engine.hpp"
#include "runner/lower.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct archive;
struct archive_entry;

namespace gantry::runner {

// One of a service's `files`, computed.
struct PlacedFile {
    std::string target; // from the root of the container
    std::string source; // below the workspace; empty: `content` is it
    std::string content;
    bool may_be_missing = false; // then it is an empty folder
    std::optional<std::uint32_t> mode;
    std::uint32_t uid = 0, gid = 0;
};
// Throws bad_input: an expression fails, or a target is not a path from the root.
std::vector<PlacedFile> lower_files(const ServiceContext& context);

// All files of one service may come to this; a copy passes through this process.
inline constexpr std::size_t k_max_service_files = 64 * 1024 * 1024;

// Puts them into the created container of `spec`, which has had make_places() for their targets. `carrier` has the workspace and is
// only asked for sources. Returns those that are not there and may be. Throws bad_input for others that are not there and above the
// limit, and what download() and upload() do.
awaitable<std::vector<PlacedFile>> place_files(engine::Engine& engine, const std::string& carrier, const engine::ContainerSpec& spec,
                            std::vector<PlacedFile> files);

// The archive that is unpacked in the folder `place` of the container: `packed` is what the engine gave for the source of `file` (a tar
// whose names begin with the source's last part). Pure; appends to `out`.
class FileArchive {
public:
    explicit FileArchive(std::string place = "/");
    ~FileArchive();
    FileArchive(const FileArchive&) = delete;

    void add_content(const PlacedFile& file);
    void add_packed(const PlacedFile& file, const std::string& packed);
    void add_empty_folder(const PlacedFile& file);
    std::string finish();

private:
    void add(const PlacedFile& file, const std::string& path, ::archive_entry* entry);

    std::string name_in(const std::string& path) const;

    std::string place_;
    ::archive* archive_;
    std::string bytes_;
};

} // namespace gantry::runner
