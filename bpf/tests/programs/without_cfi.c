// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Compiled without unwind information, between functions of the C library that have it. */
#include <stdlib.h>
#include "mark.h"

NOINLINE static long inner(long value)
{
	KEEP(value);
	return value + 1;
}

NOINLINE static long middle(long value)
{
	long result = inner(value) * 3;

	KEEP(result);
	return result + value;
}

NOINLINE static int compare(const void *a, const void *b)
{
	long result = middle(*(const int *)a - *(const int *)b);

	KEEP(result);
	return (int)result;
}

int main(void)
{
	int numbers[] = { 4, 2, 3 };

	MARK();
	qsort(numbers, 3, sizeof(int), compare);
	MARK();
	return 0;
}
