/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The calls that the stack tells of, noted beside its copy: user space searches there for callers, and has no code to look at. */
#pragma once

#include "step.h"

struct note_calls {
	struct ir_walk *walk;
	struct ir_calls *calls;
};

/* Notes the call before the address in the next word, if there is one; 1 where there is no room for it, and no more stack. */
static long note_call(u32 index, struct note_calls *loop)
{
	struct ir_calls *calls = loop->calls;
	u64 word, call, slot = calls->end, count = calls->count;

	ir_stack_cover(loop->walk, slot);
	if (!ir_read_stack(loop->walk, slot, &word))
		return 1;
	call = ir_may_be_code(slot, word) ? ir_read_call(word) : IR_CALL_NONE;
	if (call >= IR_CALL_ANYWHERE) {
		if (count >= IR_CALLS)
			return 1;
		calls->of[count & (IR_CALLS - 1)].after = word;
		calls->of[count & (IR_CALLS - 1)].call = call;
		calls->count = count + 1;
	}
	calls->end = slot + 8;
	return 0;
}
_Static_assert((IR_CALLS & (IR_CALLS - 1)) == 0, "the index of calls is masked");

static long note_frame(u32 index, struct note_calls *loop)
{
	return ir_scan_code(loop->walk) & 1;
}

/* Of the part of the stack in which the walk has searched, or would from the stack pointer on. */
IR_INLINE void copy_calls(struct ir_walk *walk, const struct ir_registers *registers, struct ir_calls *calls)
{
	struct note_calls loop = { .walk = walk, .calls = calls };

	if (!walk->scan.sp) {
		walk->scan.sp = registers->general[IR_ARCH_SP];
		walk->scan.pc = registers->pc;
	}
	walk->scan.code = walk->scan.pc + IR_CODE_AHEAD;
	bpf_loop(IR_CODE_REACH / IR_CODE_PIECE + 2, note_frame, &loop, 0);
	calls->frame = walk->scan.frame;
	calls->start = calls->end = walk->scan.sp;
	calls->count = 0;
	bpf_loop(IR_SCAN_BYTES / 8, note_call, &loop, 0);
}
