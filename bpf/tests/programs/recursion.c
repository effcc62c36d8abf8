// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Deep recursion with callee-saved registers in use. */
#include "mark.h"

NOINLINE static long descend(long depth, long a, long b, long c)
{
	long below = depth ? descend(depth - 1, a + b, b ^ c, c - a) : a;

	KEEP(below);
	return below + a * b - c;
}

int main(void)
{
	long depth = 250;

	KEEP(depth);
	MARK();
	long result = descend(depth, 1, 2, 3);
	KEEP(result);
	MARK();
	return 0;
}
