#pragma once

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace gantry {

// An empty directory that goes away with the object.
class Scratch {
public:
    Scratch()
    {
        auto name = (std::filesystem::temp_directory_path() / "gantry-test-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    Scratch(const Scratch&) = delete;
    ~Scratch()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::string path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

// Whether a layer can tell there that a file is gone (a character device 0/0): an overlay, such as a container's own files,
// takes none.
inline bool takes_whiteouts(const Scratch& scratch)
{
    const auto path = scratch / "a-whiteout";
    const bool taken = ::mknod(path.c_str(), S_IFCHR | 0600, makedev(0, 0)) == 0;
    ::unlink(path.c_str());
    return taken;
}

// Permissions of a file, or of a link itself.
inline mode_t mode_of(const std::string& path)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        throw std::runtime_error(path + " is not there");
    return info.st_mode & 07777;
}

inline std::size_t entries_in(const std::string& path)
{
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
}

// Sets (or with null removes) an environment variable until the object goes away.
class ScopedEnv {
public:
    ScopedEnv(const char* name, const char* value) : name_(name)
    {
        if (const char* old = std::getenv(name))
            old_ = old, had_ = true;
        set(value);
    }
    ScopedEnv(const ScopedEnv&) = delete;
    ~ScopedEnv() { set(had_ ? old_.c_str() : nullptr); }

private:
    void set(const char* value)
    {
        if (value)
            setenv(name_.c_str(), value, 1);
        else
            unsetenv(name_.c_str());
    }

    std::string name_;
    std::string old_;
    bool had_ = false;
};

} // namespace gantry
