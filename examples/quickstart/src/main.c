#include "words.h"

#include <stdio.h>

static struct words words;

int main(void)
{
    char line[4096];
    size_t total = 0;
    while (fgets(line, sizeof line, stdin))
        total += count_words(&words, line);
    for (size_t i = 0; i < words.size; ++i)
        printf("%zu %s\n", words.entry[i].count, words.entry[i].text);
    printf("%zu words, %zu of them different\n", total, words.size);
    return 0;
}
