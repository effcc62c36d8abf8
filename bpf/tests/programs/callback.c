// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The C library calls back: its frames lie between ours. Its functions are resolved on the way. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "mark.h"

static jmp_buf out;

NOINLINE static int compare(const void *a, const void *b)
{
	int difference = memcmp(a, b, sizeof(int));

	KEEP(difference);
	return difference;
}

NOINLINE static void leave(int depth)
{
	if (depth == 0)
		longjmp(out, 1);
	leave(depth - 1);
	KEEP(depth);
}

int main(void)
{
	int numbers[] = { 9, 3, 7, 1, 8, 2 };
	struct timespec now;

	MARK();
	qsort(numbers, 6, sizeof(int), compare);
	clock_gettime(CLOCK_MONOTONIC, &now);
	long number = strtol("1234", NULL, 10);
	KEEP(number);
	char *copy = strdup("a string");
	KEEP(copy);
	free(copy);
	if (!setjmp(out))
		leave(5);
	MARK();
	return 0;
}
