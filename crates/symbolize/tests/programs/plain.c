/* Static functions, a nested one, a cold one, and aliases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int square(int x) { return x * x; }
static inline int cube(int x) { return square(x) * x; }

__attribute__((noinline)) static int sum_of_cubes(const int *values, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += cube(values[i]);
    return sum;
}

__attribute__((cold, noinline)) static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

__attribute__((noinline)) int shared_name(int x) { return x ^ 0x55; }
int alias_name(int x) __attribute__((alias("shared_name")));
int weak_name(int x) __attribute__((weak, alias("shared_name")));

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int main(int argc, char **argv) {
    int values[64];
    for (int i = 0; i < 64; i++)
        values[i] = (i * 37 + argc) % 29;
    qsort(values, 64, sizeof values[0], compare);
    if (argc > 40)
        fail(argv[0]);
#ifdef __GNUC__
#ifndef __clang__
    int scale(int x) { return x * argc; }
    values[0] = scale(values[1]);
#endif
#endif
    printf("%d %d %zu\n", sum_of_cubes(values, 64), alias_name(argc) + weak_name(argc), strlen(argv[0]));
    return 0;
}
