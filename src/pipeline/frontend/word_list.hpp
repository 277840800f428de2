#pragma once

#include <algorithm>
#include <string_view>

namespace gantry::pipeline::native {

// Whether `word` is one of the words of a list with blanks between them: "volumes volume_mount".
inline bool is_word_of(std::string_view words, std::string_view word)
{
    for (std::size_t at = 0; at <= words.size();) {
        const auto end = std::min(words.find(' ', at), words.size());
        if (words.substr(at, end - at) == word)
            return true;
        at = end + 1;
    }
    return false;
}

} // namespace gantry::pipeline::native
