#include <stdio.h>
#include <stdlib.h>

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int year = atoi(argv[1]);
    printf("%d has %d days\n", year, is_leap(year) ? 366 : 365);
    return 0;
}
