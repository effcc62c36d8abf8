/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The caller of a frame in code that nothing describes: by the frame pointer. */
#pragma once

#include "apply.h"

/* The caller, where nothing is known of the code. A leaf whose return address is still in lr is passed over. */
IR_INLINE void ir_step_guess(struct ir_walk *walk)
{
	ir_step_frame_pointer(walk, false);
}

IR_INLINE void ir_step_out_of_jit(struct ir_walk *walk)
{
	ir_step_guess(walk);
}

/* Callers are not searched on the stack: code for arm64 keeps frame records. */
IR_INLINE void ir_scan_word(struct ir_walk *walk)
{
}

IR_INLINE void ir_scan_check(struct ir_walk *walk)
{
}

#define IR_SCAN_BYTES 0
#define IR_CODE_REACH 0
#define IR_CODE_AHEAD 0
#define IR_CODE_PIECE 1

IR_INLINE int ir_scan_code(struct ir_walk *walk)
{
	walk->scan.frame = 0;
	return 1;
}

IR_INLINE bool ir_may_be_code(u64 slot, u64 word)
{
	return false;
}

IR_INLINE u64 ir_read_call(u64 after)
{
	return IR_CALL_NONE;
}
