/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The caller of a frame in code that nothing describes: a JIT's, or that of a program which keeps frame pointers in place
 * of unwind information. By the frame pointer; of the innermost frame it has to be found out whether it has one yet.
 */
#pragma once

#include "apply.h"

/* All ones if some byte of `bytes` is push %rbp. */
IR_INLINE u64 ir_has_push(u64 bytes)
{
	u64 found = 0;

	for (u32 shift = 0; shift < 64; shift += 8)
		found |= ir_sign_mask((s64)((bytes >> shift & 0xff) ^ 0x55) - 1);
	return found;
}

/* All ones if `bytes` has, within the first six, mov %rsp, %rbp in one of its encodings. */
IR_INLINE u64 ir_has_set_up(u64 bytes)
{
	u64 found = 0;

	for (u32 shift = 0; shift <= 40; shift += 8) {
		u64 code = bytes >> shift & 0xffffff;

		found |= ir_sign_mask((s64)(code ^ 0xe58948) - 1) | ir_sign_mask((s64)(code ^ 0xec8b48) - 1);
	}
	return found;
}

/* A function that never saves rbp is not longer than this. */
#define IR_FRAMELESS_BYTES 4096

/*
 * Whether the function that pc is in was entered by a call right before `return_address`, and has not saved rbp: it does
 * so in its first bytes, or never. Of a call through a register or a linkage table it is not known.
 */
IR_INLINE bool ir_is_frameless(u64 pc, u64 return_address)
{
	struct {
		u8 opcode;
		s32 displacement;
	} __attribute__((packed)) call;
	u64 entry[2] = {};

	if (!ir_read_user(&call, sizeof(call), return_address - sizeof(call)) || call.opcode != 0xe8)
		return false;
	u64 start = return_address + (s64)call.displacement, inside = pc - start;

	/* Only what is run before pc counts. */
	if (inside >= IR_FRAMELESS_BYTES ||
	    !ir_read_user(entry, inside < sizeof(entry) ? (u32)inside : sizeof(entry), start))
		return false;
	return !(ir_has_push(entry[0]) | ir_has_push(entry[1]));
}

/*
 * How much of its frame a function has, as far as can be seen. Before it has set rbp and after it has restored it, and
 * in a leaf that does not set it at all, rbp is its caller's, and would lead to the caller's caller.
 */
enum ir_frame_progress { IR_FRAME_THERE, IR_FRAME_NONE, IR_FRAME_RBP_SAVED };

IR_INLINE enum ir_frame_progress ir_frame_progress(struct ir_walk *walk)
{
	u64 code[2], top, pc = walk->registers.pc, sp = walk->registers.general[IR_RSP];

	if (walk->return_address || !ir_read_user(code, sizeof(code), pc - sizeof(code[0])))
		return IR_FRAME_THERE;
	/* push %rbp; ret; ret imm16 */
	if ((code[1] & 0xff) == 0x55 || (code[1] & 0xfe) == 0xc2)
		return IR_FRAME_NONE;
	/* endbr64; jmp *disp32(%rip), as a PLT stub does */
	if ((u32)code[1] == 0xfa1e0ff3 || (code[1] & 0xffff) == 0x25ff)
		return IR_FRAME_NONE;
	ir_stack_cover(walk, sp);
	if (!ir_read_stack(walk, sp, &top))
		return IR_FRAME_THERE;
	/* Just pushed, and still in the register: what is on the stack alone could be a leftover of earlier calls. */
	if (top == walk->registers.general[IR_RBP] && (ir_has_push(code[0]) & ir_has_set_up(code[1])))
		return IR_FRAME_RBP_SAVED;
	return ir_is_frameless(pc, top) ? IR_FRAME_NONE : IR_FRAME_THERE;
}

/* The caller, where nothing is known of the code but that it is said to keep frame pointers. */
IR_APART int ir_step_guess(struct ir_walk *walk)
{
	struct ir_rule rule = { .fp_slot = IR_SLOT_SAME, .rbx_slot = IR_SLOT_UNDEFINED, .ra_slot = -1 };
	u64 sp = walk->registers.general[IR_RSP];

	switch (ir_frame_progress(walk)) {
	case IR_FRAME_THERE:
		ir_step_frame_pointer(walk, false);
		return 0;
	case IR_FRAME_RBP_SAVED:
		rule.fp_slot = -2;
		ir_step_to_caller(walk, &rule, sp + 16);
		return 0;
	case IR_FRAME_NONE:
		ir_step_to_caller(walk, &rule, sp + 8);
	}
	return 0;
}
