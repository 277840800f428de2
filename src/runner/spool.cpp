#include "runner/spool.hpp"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_spool_bytes = 1 << 18;

} // namespace

Fd spool_file(const std::string& folder)
{
    Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file)
        return file;
    // NFS, and the overlays of kernels before 6.1, have no files without a name.
    std::string path = folder + "/.gantry-XXXXXX";
    file = Fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!file)
        throw errno_error(errno, "temporary file in " + folder);
    ::unlink(path.c_str());
    return file;
}

engine::WritePiece write_to(const Fd& file, std::string name)
{
    return [&file, name = std::move(name)](std::string_view piece) -> awaitable<void> {
        write_all(file, piece, name);
        co_return;
    };
}

engine::ReadPiece read_from(const Fd& file, std::string name)
{
    return [&file, name = std::move(name)]() -> awaitable<std::string> {
        std::string piece(k_spool_bytes, '\0');
        const auto count = ::read(file.get(), piece.data(), piece.size());
        if (count < 0)
            throw errno_error(errno, name);
        piece.resize(static_cast<std::size_t>(count));
        co_return piece;
    };
}

} // namespace gantry::runner
