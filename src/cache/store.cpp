#include "cache/store.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/lock.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace gantry::cache {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_record_limit_bytes = 1 << 20;
constexpr int k_lock_tries = 1000, k_lock_pause_ms = 5;
const std::string k_suffix = ".json";

std::string short_hash(const std::string& text)
{
    return sha256_hex(text).substr(0, 32);
}

std::vector<std::string> files_of(const std::string& folder)
{
    std::vector<std::string> paths;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing))
        paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::string print(const PinContents& contents)
{
    nlohmann::json json{{"engine", contents.engine}, {"names", contents.names}};
    return json.dump();
}

PinContents parse_pin(const std::string& path)
{
    PinContents contents;
    try {
        const auto json = nlohmann::json::parse(read_file(path, k_record_limit_bytes, Links::refuse));
        contents.engine = json.at("engine").get<std::string>();
        contents.names = json.at("names").get<std::set<std::string>>();
    } catch (const std::exception&) {
        contents = {}; // cut off by a crash
    }
    return contents;
}

} // namespace

void Pin::release()
{
    ::unlink(path_.c_str());
    file_.reset();
}

// ---- records

std::string Session::path_of(const Place& place) const
{
    return folder_ + "/entries/" + short_hash(place.engine + '\0' + place.scope + '\0' + place.name);
}

std::string Session::path_of(const Entry& entry) const
{
    return path_of(entry.place) + "/" + short_hash(entry.key) + k_suffix;
}

void Session::move_aside(const std::string& path)
{
    if (::rename(path.c_str(), (path + ".damaged").c_str()) != 0)
        throw errno_error(errno, path);
}

void Session::tell_damage(const Entry& entry, const std::string& why)
{
    if (on_damage_)
        on_damage_("cache " + entry.place.name + ", key " + entry.key + ": damaged (" + why + ") and set aside");
}

void Session::read_folder(const std::string& folder, std::vector<Used>& into)
{
    for (const auto& path : files_of(folder)) {
        if (!path.ends_with(k_suffix))
            continue;
        try {
            Used used;
            used.entry = parse_entry(read_file(path, k_record_limit_bytes, Links::refuse));
            if (path_of(used.entry) != path)
                throw Error(Errc::bad_input, "it is the record of another key");
            used.used = modified_at(path);
            into.push_back(std::move(used));
        } catch (const Error& error) {
            if (error.code() != Errc::bad_input)
                throw;
            move_aside(path);
            if (on_damage_)
                on_damage_("the record of a cache, " + path + ", is damaged (" + error.what() + ") and set aside");
        }
    }
}

std::vector<Used> Session::entries(const Place& place)
{
    std::vector<Used> found;
    read_folder(path_of(place), found);
    std::stable_sort(found.begin(), found.end(), [](const Used& a, const Used& b) { return a.used > b.used; });
    return found;
}

std::vector<Used> Session::entries()
{
    std::vector<Used> found;
    for (const auto& folder : files_of(folder_ + "/entries"))
        read_folder(folder, found);
    std::stable_sort(found.begin(), found.end(), [](const Used& a, const Used& b) { return a.used > b.used; });
    return found;
}

std::optional<Entry> Session::find(const Place& place, const std::string& key)
{
    for (auto& used : entries(place))
        if (used.entry.key == key)
            return std::move(used.entry);
    return std::nullopt;
}

void Session::put(const Entry& entry)
{
    make_directories(path_of(entry.place), 0700);
    write_file_atomic(path_of(entry), print_entry(entry), 0600);
    touch(entry);
}

void Session::touch(const Entry& entry)
{
    // The kernel's own idea of now moves in steps of milliseconds, and several uses may fall into one.
    struct ::timespec times[2] {};
    ::clock_gettime(CLOCK_REALTIME, &times[0]);
    times[1] = times[0];
    ::utimensat(AT_FDCWD, path_of(entry).c_str(), times, AT_SYMLINK_NOFOLLOW);
}

void Session::remove(const Entry& entry)
{
    const auto path = path_of(entry);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw errno_error(errno, path);
    ::unlink((path + ".damaged").c_str());
    ::rmdir(path_of(entry.place).c_str()); // the last of its cache
}

void Session::set_aside(const Entry& entry, const std::string& why)
{
    move_aside(path_of(entry));
    tell_damage(entry, why);
}

// ---- pins

Pin Session::pin(const PinContents& contents)
{
    make_directories(folder_ + "/pins", 0700);
    const auto path = folder_ + "/pins/" + random_hex(8);
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        throw errno_error(errno, path);
    if (!take_lock(file, path))
        throw Error(Errc::conflict, path + ": somebody else has locked it");
    Pin made(std::move(file), path);
    change(made, contents);
    return made;
}

void Session::change(const Pin& pin, const PinContents& contents)
{
    if (::ftruncate(pin.file_.get(), 0) != 0 || ::lseek(pin.file_.get(), 0, SEEK_SET) != 0)
        throw errno_error(errno, pin.path_);
    write_all(pin.file_, print(contents), pin.path_);
}

std::set<std::string> Session::pinned(const std::string& engine, const Pin* except)
{
    std::set<std::string> names;
    for (const auto& path : files_of(folder_ + "/pins")) {
        if ((except && path == except->path_) || !is_locked(path))
            continue;
        const auto contents = parse_pin(path);
        if (contents.engine == engine)
            names.insert(contents.names.begin(), contents.names.end());
    }
    return names;
}

std::vector<Unattended> Session::unattended()
{
    std::vector<Unattended> found;
    for (const auto& path : files_of(folder_ + "/pins"))
        if (!is_locked(path))
            found.push_back({path, parse_pin(path), modified_at(path)});
    return found;
}

// ---- the store

Store::Store(std::string folder, Limits limits)
    : folder_(std::move(folder)), id_(short_hash(folder_).substr(0, 16)), limits_(limits)
{
}

bool Store::has_unattended() const
{
    const auto pins = files_of(folder_ + "/pins");
    return std::any_of(pins.begin(), pins.end(), [](const std::string& path) { return !is_locked(path); });
}

// The kernel has no lock with a deadline, and whoever has this one needs it for a moment.
Session Store::open()
{
    make_directories(folder_, 0700);
    const auto path = folder_ + "/lock";
    for (int i = 0; i < k_lock_tries; ++i) {
        if (auto lock = try_lock_file(path))
            return Session(folder_, std::move(*lock), on_damage_);
        ::poll(nullptr, 0, k_lock_pause_ms);
    }
    throw Error(Errc::timed_out, path + ": somebody else has had it for 5 s", "see who, with fuser " + path);
}

} // namespace gantry::cache
