/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How much of its frame the innermost function has, as the instructions around its pc tell: V8's compilers make all frames in one way,
 * and leave them in a few (src/compiler/backend/x64/code-generator-x64.cc, src/baseline/x64).
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"

enum ir_v8_progress {
	IR_V8_BUILT,	/* rbp is its own, and the words below it are there */
	IR_V8_ENTERED,	/* the return address is at rsp */
	IR_V8_PUSHED,	/* the caller's rbp is at rsp, and in rbp */
	IR_V8_MOVED,	/* rbp is its own, and the words below it are not there */
	IR_V8_LEFT,	/* as ENTERED, after all */
};

/* push %rbp; mov %rsp, %rbp, in both encodings. */
#define IR_V8_SET_UP	   0xe5894855u
#define IR_V8_SET_UP_OTHER 0xec8b4855u
/* Before it, code checks whether it is to be run at all. */
#define IR_V8_CHECK_WORDS 3

/* All ones if a frame is set up in the next instructions. */
IR_INLINE u64 ir_v8_has_set_up(const u64 *code)
{
	u64 found = 0;

	for (u32 word = 0; word < IR_V8_CHECK_WORDS; word++) {
		for (u32 shift = 0; shift < 64; shift += 8) {
			u64 bytes = code[word] >> shift | (shift > 32 ? code[word + 1] << (64 - shift) : 0);

			found |= ir_sign_mask((s64)((u32)bytes ^ IR_V8_SET_UP) - 1) |
				 ir_sign_mask((s64)((u32)bytes ^ IR_V8_SET_UP_OTHER) - 1);
		}
	}
	return found;
}

/* enum ir_v8_progress of the current frame. */
IR_GLOBAL int ir_v8_progress(struct ir_walk *walk)
{
	u64 code[IR_V8_CHECK_WORDS + 2];

	if (!walk || walk->return_address ||
	    !ir_read_user(&code, sizeof(code), walk->registers.pc - sizeof(code[0])))
		return IR_V8_BUILT;
	u32 before = code[0] >> 56, after = (u32)code[1];

	if (ir_v8_has_set_up(code + 1))
		return IR_V8_ENTERED;
	/* mov %rsp, %rbp; push %rsi; push %rdi */
	if (before == 0x55 && ((after & 0xffffff) == 0xe58948 || (after & 0xffffff) == 0xec8b48))
		return IR_V8_PUSHED;
	if ((after & 0xffff) == 0x5756 || (before == 0x56 && (after & 0xff) == 0x57))
		return IR_V8_MOVED;
	/* pop %rbp; ret, or what takes arguments that the caller has pushed, before it. */
	if ((after & 0xfe) == 0xc2 || before == 0x5d)
		return IR_V8_LEFT;
	return IR_V8_BUILT;
}
