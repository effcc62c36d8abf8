// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A handler on the stack of what it interrupts, and with an argument on a stack of its own. The test sends the signal
 * between any two instructions; the program sends it to itself from a system call too.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>
#include "mark.h"

static char alternate[16384];
static volatile long handled;

NOINLINE static void count(long more)
{
	KEEP(more);
	handled += more;
}

static void handle(int number)
{
	count(number);
	KEEP(number);
}

NOINLINE static long work(long depth)
{
	long below = depth ? work(depth - 1) : 1;

	KEEP(below);
	return below * 3 + depth;
}

int main(int argc, char **argv)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_handler = handle, .sa_flags = argc > 1 ? SA_ONSTACK : 0 };

	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		return 1;
	MARK();
	long result = work(6);
	KEEP(result);
	kill(getpid(), SIGUSR1);
	MARK();
	return handled ? 0 : 1;
}
