#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What is kept of a cache under one key, as its record tells it.

namespace gantry::cache {

// A volume at the engine with what one stage changed. Never written to again.
struct Layer {
    std::string volume;
    std::uint64_t size_bytes = 0; // of the files' contents
    std::uint64_t entries = 0;    // files, folders and links, without the top
    std::string digest;           // see runner/archive_measure.hpp
    friend bool operator==(const Layer&, const Layer&) = default;
};

// Where entries belong: a key means something within this only.
struct Place {
    std::string engine; // EngineInfo::id
    std::string scope;  // see Whose
    std::string name;   // of the cache
    friend auto operator<=>(const Place&, const Place&) = default;
};

// What a scope says: entries are a repository's, those of a private cache a branch's or tag's of it.
struct Whose {
    std::string repository; // absolute path of its folder
    std::string branch;     // "branch main", "tag v1"; empty: not private
};
std::string scope_of(const Whose& whose);
Whose whose(const Place& place);

struct Entry {
    Place place;
    std::string key;
    std::vector<Layer> layers; // lowest first; those above hide what is below
    std::chrono::system_clock::time_point saved{}; // to the millisecond
    std::string run, stage;    // that saved it
    friend bool operator==(const Entry&, const Entry&) = default;
};

// The sum over its layers: what it takes, or more, where layers hide each other's files.
std::uint64_t size_bytes_of(const Entry& entry);
// The names of its layers' volumes.
std::set<std::string> volumes_in(const Entry& entry);

// An Entry as the text of its record: JSON with a SHA-256 over the rest of it. Text that is not UTF-8 throws bad_input.
std::string print_entry(const Entry& entry);
// Throws bad_input with what is wrong: not our format, or not what was printed.
Entry parse_entry(std::string_view text);

} // namespace gantry::cache
