#pragma once

#include <stddef.h>

enum { MAX_WORDS = 1024, MAX_WORD_LENGTH = 63 };

// How often each word was seen, in the order in which they came first.
struct words {
    struct { char text[MAX_WORD_LENGTH + 1]; size_t count; } entry[MAX_WORDS];
    size_t size;
};

// Counts the words of `text`: runs of letters and digits, in lower case. Returns how many words `text` has.
// Longer words are cut, and words that no longer fit into the table are only counted in the result.
size_t count_words(struct words *words, const char *text);

// How often `word` was seen.
size_t count_of(const struct words *words, const char *word);
