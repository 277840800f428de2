#include "words.h"

#include <ctype.h>
#include <string.h>

static void add(struct words *words, const char *word)
{
    for (size_t i = 0; i < words->size; ++i) {
        if (strcmp(words->entry[i].text, word) == 0) {
            ++words->entry[i].count;
            return;
        }
    }
    if (words->size < MAX_WORDS) {
        strcpy(words->entry[words->size].text, word);
        words->entry[words->size++].count = 1;
    }
}

size_t count_words(struct words *words, const char *text)
{
    char word[MAX_WORD_LENGTH + 1];
    size_t length = 0, total = 0;
    for (;; ++text) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c)) {
            if (length < MAX_WORD_LENGTH)
                word[length++] = (char)tolower(c);
            continue;
        }
        if (length > 0) {
            word[length] = '\0';
            add(words, word);
            length = 0;
            ++total;
        }
        if (c == '\0')
            return total;
    }
}

size_t count_of(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->size; ++i)
        if (strcmp(words->entry[i].text, word) == 0)
            return words->entry[i].count;
    return 0;
}
