#pragma once

#include "base/file.hpp"
#include "cache/entry.hpp"
#include "cache/removal.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// The records of caches on our disk, and who uses what they name. The files of caches themselves are in volumes at engines.
//
//   lock                               held for the length of a Session
//   entries/<place>/<key>.json         a record: an Entry, by hashes of its place and key; its mtime is when it was last used
//   entries/<place>/<key>.json.damaged a record that was set aside
//   pins/<random>                      objects that a process uses or is about to make; locked by it. One that nobody locks was
//                                      left by a process that died: somebody has to look for what it made
//
// Small blocking calls on a local disk. Throws what base/file.hpp throws.

namespace gantry::cache {

// Objects at an engine that must stay. Ends with the process, and then leaves its file for unattended().
class Pin {
public:
    // Nothing is left to do: the file goes.
    void release();
    const std::string& path() const { return path_; }

private:
    friend class Session;
    Pin(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
    Fd file_; // locked
    std::string path_;
};

struct PinContents {
    std::string engine; // EngineInfo::id; empty when it was cut off
    std::set<std::string> names;
};
struct Unattended { // the pin of a process that died
    std::string path;
    PinContents contents;
    std::chrono::system_clock::time_point since{};
};

// Exclusive access, among all processes of the user. To be held for a moment and never while waiting for something.
class Session {
public:
    // By their last use, the latest first. Damaged records are set aside, and told.
    std::vector<Used> entries();
    std::vector<Used> entries(const Place& place);
    std::optional<Entry> find(const Place& place, const std::string& key);

    // Replaces the entry of that key in one step, and counts as a use of it.
    void put(const Entry& entry);
    void touch(const Entry& entry);
    void remove(const Entry& entry);
    // It is there but cannot be used, because of `why`.
    void set_aside(const Entry& entry, const std::string& why);

    Pin pin(const PinContents& contents);
    void change(const Pin& pin, const PinContents& contents);
    // What living processes have pinned at this engine; `except` may be null.
    std::set<std::string> pinned(const std::string& engine, const Pin* except);
    std::vector<Unattended> unattended();

private:
    friend class Store;
    Session(const std::string& folder, FileLock lock, const std::function<void(const std::string&)>& on_damage)
        : folder_(folder), lock_(std::move(lock)), on_damage_(on_damage)
    {
    }
    void read_folder(const std::string& folder, std::vector<Used>& into);
    void tell_damage(const Entry& entry, const std::string& why);
    void move_aside(const std::string& path);
    std::string path_of(const Place& place) const;
    std::string path_of(const Entry& entry) const;

    const std::string& folder_;
    FileLock lock_;
    const std::function<void(const std::string&)>& on_damage_;
};

class Store {
public:
    // `folder` and those above are made when they are first needed.
    Store(std::string folder, Limits limits);
    // Gets a line for each record that is set aside from now on; not while a Session is open.
    using OnDamage = std::function<void(const std::string&)>;
    void tell_damage_to(OnDamage on_damage) { on_damage_ = std::move(on_damage); }

    // Waits for whoever has it, up to 5 s; then throws timed_out.
    Session open();
    // Some process died, or could not finish: Session::unattended() says more. Costs one look into a folder.
    bool has_unattended() const;
    const Limits& limits() const { return limits_; }
    // For labels: the volumes of another folder are not ours to judge.
    const std::string& id() const { return id_; }

private:
    std::string folder_, id_;
    Limits limits_;
    OnDamage on_damage_;
};

} // namespace gantry::cache
