/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The caller of a frame in code that nothing describes: a JIT's, or that of a program which keeps frame pointers in place
 * of unwind information. By the frame pointer; of the innermost frame it has to be found out whether it has one yet.
 */
#pragma once

#include "scan.h"

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

/* The caller of a frame that is as far as that. */
IR_APART int ir_take_step(struct ir_walk *walk, enum ir_frame_progress progress)
{
	struct ir_rule rule = { .fp_slot = IR_SLOT_SAME, .rbx_slot = IR_SLOT_UNDEFINED, .ra_slot = -1 };
	u64 sp = walk->registers.general[IR_RSP];

	switch (progress) {
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

/* Where the return address of a frame in a JIT's code is, if the frame pointer is what it should be; 0 if it cannot be. */
IR_INLINE u64 ir_return_slot(const struct ir_walk *walk, enum ir_frame_progress progress)
{
	u64 sp = walk->registers.general[IR_RSP], fp = walk->registers.general[IR_RBP];

	if (progress == IR_FRAME_NONE)
		return sp;
	if (progress == IR_FRAME_RBP_SAVED)
		return sp + 8;
	return ((walk->valid >> IR_RBP) & 1) && fp >= sp && (fp & 7) == 0 ? fp + 8 : 0;
}

/*
 * The caller of a frame in a JIT's code, which may keep frame pointers, or not: then rbp may hold anything, or lead to the
 * frame of a function that has called.
 */
IR_GLOBAL int ir_step_out_of_jit(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	enum ir_frame_progress progress = ir_frame_progress(walk);
	u64 slot = ir_return_slot(walk, progress), word = 0, call;
	bool is_read = slot && ir_read_stack(walk, slot, &word);

	walk->scan.pc = walk->registers.pc - walk->return_address;
	/* Most callers are in a JIT's code, too. */
	if (word && ir_scan_mapping(walk, word - 1) && walk->mapping.image == IR_IMAGE_NONE) {
		ir_take_step(walk, progress);
		return 0;
	}
	call = word ? ir_call_before(slot, word) : IR_CALL_NONE;
	if (is_read && word == 0 && progress == IR_FRAME_THERE)
		/* The end of a stack that a runtime has made, or one of the many zeros on a stack. */
		ir_scan_begin(walk, ~0ull, true);
	else if (!ir_is_return(walk, word, call))
		ir_scan_begin(walk, ~0ull, false);
	else if (ir_calls_executable(walk, call))
		ir_scan_begin(walk, slot - 8, progress == IR_FRAME_THERE);
	else
		ir_take_step(walk, progress);
	return 0;
}

/* The caller, where nothing is known of the code but that it is said to keep frame pointers. */
IR_GLOBAL int ir_step_guess(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	ir_take_step(walk, ir_frame_progress(walk));
	return 0;
}
