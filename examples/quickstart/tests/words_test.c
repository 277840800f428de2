#include "words.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *claim, size_t is, size_t expected)
{
    printf("%s %s: %zu\n", is == expected ? "ok  " : "FAIL", claim, is);
    failures += is != expected;
}

int main(void)
{
    static struct words words;
    check("an empty text has no words", count_words(&words, ""), 0);
    check("punctuation parts words", count_words(&words, "one,two;  three."), 3);
    check("case does not matter", count_words(&words, "One ONE"), 2);
    check("each word is counted", count_of(&words, "one"), 3);
    check("a word that never came counts nothing", count_of(&words, "four"), 0);

    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    check("a long word is one word", count_words(&words, longer), 1);
    return failures != 0;
}
