#pragma once

#include "engine/engine.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>

struct archive;

namespace gantry::runner {

// Small tar archives in memory (POSIX pax), uncompressed. Entries belong to 0:0 and have no time.
class TarBuilder {
public:
    TarBuilder();
    ~TarBuilder();
    TarBuilder(const TarBuilder&) = delete;

    void add_folder(const std::string& path, int mode);
    void add_file(const std::string& path, int mode, std::string_view contents);
    // The archive; nothing can be added afterwards.
    std::string finish();

private:
    ::archive* archive_;
    std::string bytes_;
};

// A ReadPiece over bytes in memory.
class ReadOnce {
public:
    explicit ReadOnce(std::string bytes) : bytes_(std::make_shared<std::string>(std::move(bytes))) {}
    awaitable<std::string> operator()() const;

private:
    std::shared_ptr<std::string> bytes_;
};

// The regular files below `path` of a container, by their name in the archive ("gantry/env" for /run/gantry). Reads at most
// `limit_bytes` of archive; nothing when the path does not exist. Links and special files are left out. Throws bad_input for a
// damaged archive.
awaitable<std::map<std::string, std::string>> download_small_files(engine::Engine& engine, const std::string& container,
                                                                   const std::string& path, std::size_t limit_bytes);

// The same of an archive: files of more than `limit_bytes` are left out, too.
std::map<std::string, std::string> small_files_of(std::string_view archive, std::size_t limit_bytes);

} // namespace gantry::runner
