/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How much of its frame the innermost compiled method has, by the instructions around its pc: what C1 (C1_MacroAssembler::build_frame),
 * C2 (MachPrologNode, MachEpilogNode of x86.ad) and the native wrappers emit on x86_64, JDK 8 to 27.
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"

enum ir_hotspot_progress {
	IR_HOTSPOT_BUILT,	/* it is all there */
	IR_HOTSPOT_ENTERED,	/* the return address is at sp, rbp the caller's */
	IR_HOTSPOT_PUSHED,	/* rbp is at sp, the return address above it */
	IR_HOTSPOT_MADE,	/* sp is moved, and rbp not saved yet */
};

#define IR_BYTES2(word) ((word) & 0xffff)
#define IR_BYTES3(word) ((word) & 0xffffff)
#define IR_BYTES4(word) ((word) & 0xffffffff)

/* What returns: `at` are the bytes from pc on, `before` the eight before it. */
IR_INLINE bool ir_hotspot_returns(u64 before, const u64 at[2])
{
	u64 code = at[0];

	/* ret; cmp disp(%r15), %rsp: the poll before it since 16 */
	if ((code & 0xff) == 0xc3 || IR_BYTES3(code) == 0x673b49 || IR_BYTES3(code) == 0xa73b49)
		return true;
	/* the ja behind that */
	if (IR_BYTES2(code) == 0x870f && (IR_BYTES3(before >> 32) == 0x673b49 || IR_BYTES3(before >> 8) == 0xa73b49))
		return true;
	/* until 9: test %eax, disp(%rip); ret */
	if (IR_BYTES2(code) == 0x0585 && (code >> 48 & 0xff) == 0xc3)
		return true;
	/* 10 to 15: mov disp(%r15), %r10; test %eax, (%r10); ret */
	return IR_BYTES4(code) == 0xc3028541 ||
	       (IR_BYTES3(code) == 0x978b4d && code >> 56 == 0x41 && IR_BYTES3(at[1]) == 0xc30285);
}

/* Before the frame is complete. */
IR_INLINE enum ir_hotspot_progress ir_hotspot_entering(u64 before, u64 code)
{
	/* mov %rsp, %rbp */
	if (IR_BYTES3(code) == 0xec8b48 || IR_BYTES3(code) == 0xe58948)
		return IR_HOTSPOT_PUSHED;
	/* sub $imm, %rsp, after push %rbp or the above */
	if (IR_BYTES3(code) == 0xec8348 || IR_BYTES3(code) == 0xec8148)
		return before >> 56 == 0x55 || before >> 40 == 0xec8b48 || before >> 40 == 0xe58948 ? IR_HOTSPOT_PUSHED :
												       IR_HOTSPOT_ENTERED;
	/* mov %rbp, disp(%rsp) */
	if (IR_BYTES4(code) == 0x246c8948 || IR_BYTES4(code) == 0x24ac8948)
		return IR_HOTSPOT_MADE;
	/* lea disp(%rsp), %rbp, where frame pointers are kept; cmp $imm, disp(%r15), the barrier of entries, and what follows it */
	if (IR_BYTES4(code) == 0x246c8d48 || IR_BYTES4(code) == 0x24ac8d48 || IR_BYTES3(code) == 0x7f8141 ||
	    ((IR_BYTES2(code) & 0xfeff) == 0x840f && IR_BYTES3(before) == 0x7f8141))
		return IR_HOTSPOT_BUILT;
	return IR_HOTSPOT_ENTERED;
}

/* Whether pc is in what builds the frame, or before it. */
IR_INLINE bool ir_hotspot_is_entering(const struct ir_hotspot_state *jvm, u64 blob, u64 pc)
{
	u64 code;
	s32 complete = 0, offset;

	if (jvm->code & 1) {
		if (!ir_read_user(&offset, sizeof(offset), blob + jvm->code - 1))
			return false;
		code = blob + (s64)offset;
	} else if (!ir_read_user(&code, sizeof(code), blob + jvm->code)) {
		return false;
	}
	bool is_short = jvm->frame_complete & 1;

	if (!ir_read_user(&complete, is_short ? sizeof(s16) : sizeof(s32), blob + jvm->frame_complete - is_short))
		return false;
	return (s64)(pc - code) < (s64)(is_short ? (s16)complete : complete);
}

/* enum ir_hotspot_progress */
IR_GLOBAL int ir_hotspot_progress(const struct ir_walk *walk, const struct ir_hotspot_state *jvm, u64 blob)
{
	if (!walk || !jvm)
		return IR_HOTSPOT_BUILT;
	u64 code[3], pc = walk->registers.pc;

	if (walk->return_address || !ir_read_user(code, sizeof(code), pc - sizeof(code[0])))
		return IR_HOTSPOT_BUILT;
	if (ir_hotspot_is_entering(jvm, blob, pc))
		return ir_hotspot_entering(code[0], code[1]);
	/* pop %rbp */
	if ((code[1] & 0xff) == 0x5d)
		return IR_HOTSPOT_PUSHED;
	return ir_hotspot_returns(code[0], code + 1) ? IR_HOTSPOT_ENTERED : IR_HOTSPOT_BUILT;
}
