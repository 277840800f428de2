#include "base/paths.hpp"

#include "base/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

namespace gantry {

namespace {

struct Place {
    const char* variable;
    const char* below_home;
    const char* below_fallback;
};

std::optional<std::string> absolute_from(const char* variable)
{
    const char* value = std::getenv(variable);
    if (!value || *value != '/')
        return std::nullopt;
    std::string path(value);
    while (path.size() > 1 && path.back() == '/')
        path.pop_back();
    return path == "/" ? std::string() : path;
}

std::string directory_for(const Place& place)
{
    if (const auto base = absolute_from(place.variable))
        return *base + "/gantry";
    // HOME=/ is what containers and services without a user have.
    if (const auto home = absolute_from("HOME"); home && !home->empty())
        return *home + place.below_home;
    return private_directory("/tmp/gantry-" + std::to_string(geteuid())) + place.below_fallback;
}

} // namespace

std::string private_directory(const std::string& path)
{
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        throw errno_error(errno, path);
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0)
        throw errno_error(errno, path);
    const bool ours = S_ISDIR(info.st_mode) && info.st_uid == geteuid();
    if (!ours || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Error(Errc::denied, path + ": is not a directory that belongs to us alone", "set HOME, or remove it");
    if ((info.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0)
        throw errno_error(errno, path);
    return path;
}

std::string state_dir()
{
    return directory_for({"XDG_STATE_HOME", "/.local/state/gantry", "/state"});
}

std::string cache_dir()
{
    return directory_for({"XDG_CACHE_HOME", "/.cache/gantry", "/cache"});
}

std::string config_dir()
{
    return directory_for({"XDG_CONFIG_HOME", "/.config/gantry", "/config"});
}

std::string hint_for_folder(const std::string& folder, const std::string& variable)
{
    return "let " + folder + " be a folder that you may write to, or name another place: " + variable + "=FOLDER";
}

} // namespace gantry
