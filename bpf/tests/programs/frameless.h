/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Code made at run time that keeps no frame pointer and spins, over words that look like return addresses. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "mark.h"

typedef long (*frameless_code)(const void **decoys, unsigned count);

/* push rbx; push rbp; push r12; sub rsp, SIZE; esi words from rdi to rsp + 0x10 by rep movsq; mov ebp, 5; jmp to itself */
static const unsigned char frameless_bytes[] = {
	0x53, 0x55, 0x41, 0x54, 0x48, 0x81, 0xec, 0x00, 0x00, 0x00, 0x00, 0x89, 0xf1, 0x48, 0x89, 0xfe,
	0x48, 0x8d, 0x7c, 0x24, 0x10, 0xf3, 0x48, 0xa5, 0xbd, 0x05, 0x00, 0x00, 0x00, 0xeb, 0xfe,
};

/* One more than a copy of a stack has noted (IR_CALLS). */
#define CROWD 33

NOINLINE static long leave_return_addresses(long depth)
{
	long below = depth ? leave_return_addresses(depth - 1) : 0;

	KEEP(below);
	return below + depth;
}

NOINLINE static const void *after_this_call(void)
{
	const void *after = __builtin_return_address(0);

	KEEP(after);
	return after;
}

/*
 * Says where its own code begins, and has the other code spin with `room` bytes of its stack: over three words, or a crowd of
 * return addresses of which it cannot have been called.
 */
NOINLINE static int run_frameless(unsigned room, int in_crowd)
{
	unsigned char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A function, the middle of one, and data. */
	const void *decoys[CROWD] = { (void *)leave_return_addresses, (char *)leave_return_addresses + 1, &at };
	frameless_code code;

	for (unsigned i = 0; in_crowd && i < CROWD; i++)
		decoys[i] = after_this_call();

	if (at == MAP_FAILED)
		exit(12);
	memcpy(at, frameless_bytes, sizeof(frameless_bytes));
	memcpy(at + 7, &room, sizeof(room));
	memcpy(&code, &at, sizeof(code));
	printf("%llu\n", (unsigned long long)(size_t)run_frameless);
	leave_return_addresses(8);
	return (int)code(decoys, in_crowd ? CROWD : 3);
}
