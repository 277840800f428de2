#include "base/new_file.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace gantry {

NewFile::NewFile(std::string path, mode_t mode) : path_(std::move(path)), part_(path_ + "." + random_hex(4) + ".part")
{
    struct stat info{};
    if (::lstat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        throw Error(Errc::bad_input, path_ + ": " + (S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file"));
    file_ = Fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file_)
        throw errno_error(errno, path_);
}

NewFile::~NewFile()
{
    if (!part_.empty())
        ::unlink(part_.c_str());
}

void NewFile::write(std::string_view bytes)
{
    write_all(file_, bytes, path_);
}

void NewFile::commit()
{
    sync_file(file_, path_);
    if (::rename(part_.c_str(), path_.c_str()) != 0)
        throw errno_error(errno, path_);
    part_.clear();
}

} // namespace gantry
