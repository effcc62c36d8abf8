// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Frames whose size is not known at compile time, frames with an alignment of their own (DRAP), and a huge one. */
#include <alloca.h>
#include <stddef.h>
#include "mark.h"

NOINLINE static long sum(const volatile char *bytes, size_t size)
{
	long total = 0;

	for (size_t i = 0; i < size; i += 64)
		total += bytes[i];
	return total;
}

NOINLINE static long variable(size_t size)
{
	volatile char *bytes = alloca(size);

	bytes[0] = 1;
	long total = sum(bytes, size);
	KEEP(total);
	return total + (long)size;
}

NOINLINE static long aligned(size_t size)
{
	_Alignas(64) volatile char bytes[256];

	bytes[0] = (char)size;
	long total = sum(bytes, sizeof(bytes));
	KEEP(total);
	return total;
}

NOINLINE static long aligned_variable(size_t size, long a, long b, long c, long d, long e, long on_stack)
{
	_Alignas(128) volatile char bytes[256];
	volatile char *more = alloca(size);

	bytes[0] = more[0] = (char)on_stack;
	long total = sum(bytes, sizeof(bytes)) + sum(more, size) + a + b + c + d + e;
	KEEP(total);
	return total + on_stack;
}

NOINLINE static long huge(size_t size)
{
	volatile char bytes[20000];

	bytes[0] = (char)size;
	long total = sum(bytes, 640);
	KEEP(total);
	return total;
}

int main(void)
{
	size_t size = 300;

	KEEP(size);
	MARK();
	long total = variable(size) + aligned(size) + aligned_variable(size, 1, 2, 3, 4, 5, 6) + huge(size);
	KEEP(total);
	MARK();
	return 0;
}
