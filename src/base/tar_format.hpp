#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What tar archives are made of (POSIX.1-2001, pax, "ustar Interchange Format" and "pax Extended Header"), for all who read or
// write headers. What cannot be read throws bad_input.

namespace gantry {

inline constexpr std::size_t k_tar_block_bytes = 512;
// How many bytes fill the last block of so many.
inline std::size_t tar_padding_bytes(std::uint64_t size_bytes)
{
    return static_cast<std::size_t>((k_tar_block_bytes - size_bytes % k_tar_block_bytes) % k_tar_block_bytes);
}
// What says how the next entry is called has no more than this.
inline constexpr std::uint64_t k_tar_extension_limit_bytes = 1 << 20;

// Where a header has what.
namespace tar_field {

struct Place {
    std::size_t at, size;
};
inline constexpr Place name{0, 100}, mode{100, 8}, uid{108, 8}, gid{116, 8}, size{124, 12}, mtime{136, 12}, sum{148, 8}, type{156, 1},
    link{157, 100}, magic{257, 6}, prefix{345, 155};

} // namespace tar_field

// "the archive is damaged: WHY"
[[noreturn]] void refuse_tar(const std::string& why);

std::string text_in_tar(std::string_view header, tar_field::Place field);
// Octal digits, or GNU's base 256, which can be negative.
std::int64_t number_in_tar(std::string_view header, tar_field::Place field);
// No archive has this.
inline constexpr std::uint64_t k_tar_size_limit_bytes = std::uint64_t(1) << 60;
// From 0 to that.
std::uint64_t size_in_tar(std::string_view header, tar_field::Place field);
// Of `name` and, in a ustar header, `prefix`.
std::string name_in_tar(std::string_view header);
bool ends_tar(std::string_view block);
// Whether it is about the next entry, or about all that follow: a pax header or GNU's long names.
bool is_tar_extension(char type);
// Links, devices and folders have nothing behind their header, whatever size it says.
bool has_tar_contents(char type);

// A ustar header of root, without size and time, not sealed. A name that is too long is cut: a pax record says it whole.
std::string new_tar_header(std::string_view name, char type);
// What was in the field goes.
void put_in_tar(std::string& header, tar_field::Place field, std::string_view text);
// Octal digits; 0 for what needs more than there is room for: a pax record says it.
void put_number_in_tar(std::string& header, tar_field::Place field, std::uint64_t number);
// The last that is put in: its sum.
void seal_tar_header(std::string& header);

// A record of a pax header, "25 path=some/long/name\n": its length counts itself.
std::string pax_record(const std::string& key, const std::string& value);
// The header that holds these records, whole lines, for the next entry; nothing for none.
void append_pax_header(const std::string& records, std::string& out);
std::vector<std::pair<std::string, std::string>> pax_records(std::string_view text);
// What the record of a number says, in decimal digits; it can be negative.
std::int64_t number_in_pax(std::string_view value);
// From 0 to k_tar_size_limit_bytes.
std::uint64_t size_in_pax(std::string_view value);

} // namespace gantry
