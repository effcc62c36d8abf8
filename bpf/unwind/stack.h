/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the stack that is walked. A step needs two or three words below its CFA, and the next one some words above:
 * a piece of the stack is read at once, so that most steps read nothing, and the CPU fetches cold lines side by side.
 */
#pragma once

#include "platform.h"
#include "walk.h"

/* Sees to it that the IR_NEAR_BYTES from an address on are in walk->piece, if they are readable. */
IR_INLINE void ir_stack_cover(struct ir_walk *walk, u64 from)
{
	if (walk->piece_bytes >= IR_NEAR_BYTES && from - walk->piece_start <= walk->piece_bytes - IR_NEAR_BYTES)
		return;
	walk->piece_start = from;
	walk->piece_bytes = IR_PIECE_BYTES;
	if (ir_read_user(walk->piece, IR_PIECE_BYTES, from))
		return;
	/* The stack's end is near. */
	walk->piece_bytes = IR_NEAR_BYTES;
	if (!ir_read_user(walk->piece, IR_NEAR_BYTES, from))
		walk->piece_bytes = 0;
}

/* The word at an address, from walk->piece if it is there. false if it is unreadable. */
IR_INLINE bool ir_read_stack(const struct ir_walk *walk, u64 address, u64 *value)
{
	u64 offset = address - walk->piece_start;

	if ((offset & 7) == 0 && offset < walk->piece_bytes) {
		*value = walk->piece[(offset >> 3) & (IR_PIECE_WORDS - 1)];
		return true;
	}
	return ir_read_user(value, sizeof(*value), address);
}
