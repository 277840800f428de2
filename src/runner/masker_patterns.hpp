#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::runner {

// Shorter values are everywhere in ordinary output: hiding them would ruin it and tell what they are.
inline constexpr std::size_t k_shortest_masked_bytes = 4;
// A single line of a longer secret is hidden from this length on: lines like "}" or "END" are not secret.
inline constexpr std::size_t k_shortest_masked_line_bytes = 8;
// Longer values are hidden as they are and by line; the encodings of so much would cost more memory than they are worth.
inline constexpr std::size_t k_longest_encoded_bytes = 16 * 1024;

// All texts that show `value`: itself, its lines, with CR LF for LF and the reverse, base64 in its three alignments (both
// alphabets, with and without what follows, and wrapped at 64 and 76 columns when it comes first), percent-encoded (for
// forms, too), as the inside of a JSON string by several encoders, and as a shell quotes it. Sorted, no duplicates, none
// shorter than k_shortest_masked_bytes.
std::vector<std::string> mask_patterns(std::string_view value);

// Those of them that encoders cut into lines of any length: base64.
std::vector<std::string> foldable_patterns(std::string_view value);

} // namespace gantry::runner
