#include <stdio.h>
#include <string.h>

int main(int count, char **words)
{
    if (count > 1 && strcmp(words[1], "--version") == 0)
        puts(VERSION);
    else
        printf("%s, %s!\n", GREETING, count > 1 ? words[1] : "you");
    return 0;
}
