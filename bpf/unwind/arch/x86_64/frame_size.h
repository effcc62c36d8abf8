/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many bytes of the stack a function keeps for itself, by its code: the last `sub imm, %rsp` before pc. The return address is
 * above them and what was pushed before; left over ones, that look the same, are mostly among them. It is not looked for where the
 * function has not taken them yet, or has given them back.
 */
#pragma once

#include "call.h"

/* So far before pc a function begins; and after it, where pc is at its beginning. */
#define IR_CODE_REACH 8192
#define IR_CODE_AHEAD 32
/* Of code, what is read in a step, and what of it is looked at: an instruction may be in two. */
#define IR_CODE_WORDS 16
#define IR_CODE_BYTES (IR_CODE_WORDS * 8)
#define IR_CODE_PIECE (IR_CODE_BYTES - 8)
_Static_assert(IR_CODE_WORDS <= IR_PIECE_WORDS, "code is read to where the stack is");

/* The high bit of each byte of `low` at which 48 81 ec or 48 83 ec begins. */
IR_INLINE u64 ir_takes_stack(u64 low, u64 high)
{
	u64 second = low >> 8 | high << 56, third = low >> 16 | high << 48;

	return ir_zero_bytes(low ^ 0x4848484848484848ULL) &
	       ir_zero_bytes((second ^ 0x8181818181818181ULL) & 0xfdfdfdfdfdfdfdfdULL) &
	       ir_zero_bytes(third ^ 0xececececececececULL);
}

/* The offset in walk->piece at which the last such instruction begins, or negative. */
IR_GLOBAL s64 ir_last_in_piece(struct ir_walk *walk)
{
	u64 word = 0, hits = 0, byte = 0;

	if (!walk)
		return -1;
	IR_KEEP_LOOP for (u64 i = 0; i + 1 < IR_CODE_WORDS; i++) {
		u64 found = ir_takes_stack(walk->piece[i], walk->piece[i + 1]);
		u64 mask = ir_sign_mask((s64)(found | -found));

		word = (word & ~mask) | (i & mask);
		hits = (hits & ~mask) | (found & mask);
	}
	if (!hits)
		return -1;
	IR_KEEP_LOOP for (u64 i = 0; i < 8; i++) {
		u64 mask = ir_sign_mask((s64)(hits << (56 - i * 8)));

		byte = (byte & ~mask) | (i & mask);
	}
	return (s64)(word * 8 + byte);
}

/* Whether registers are popped at pc, or the function returns. */
IR_GLOBAL int ir_gives_back(u64 pc)
{
	u8 code[2];

	return !ir_read_user(code, sizeof(code), pc) || (code[0] & 0xf8) == 0x58 || code[0] == 0xc3 ||
	       (code[0] == 0x41 && (code[1] & 0xf8) == 0x58);
}

/* The operand of the instruction, if it is one that takes a part of what is searched; else 0. */
IR_INLINE u64 ir_taken_by(u64 at)
{
	struct {
		u8 opcode;
		u8 operand;
		s32 wide;
	} __attribute__((packed)) code;

	if (!ir_read_user(&code, sizeof(code), at + 1))
		return 0;
	s64 bytes = code.opcode == 0x81 ? code.wide : (signed char)code.wide;

	return bytes > 0 && bytes < IR_SCAN_BYTES && (bytes & 7) == 0 ? (u64)bytes : 0;
}

/* Looks at a piece of code before scan.code, and sets scan.frame when there is no more to be looked at. */
IR_GLOBAL int ir_scan_code(struct ir_walk *walk)
{
	if (!walk)
		return 1;
	u64 pc = walk->scan.pc, end = walk->scan.code;
	s64 at;

	/* What was there is read again. */
	walk->piece_bytes = 0;
	walk->scan.frame = 0;
	if ((end > pc && ir_gives_back(pc)) || (s64)(pc - end) > IR_CODE_REACH ||
	    !ir_read_user(walk->piece, IR_CODE_BYTES, end - IR_CODE_BYTES))
		return 1;
	at = ir_last_in_piece(walk);
	walk->scan.code = end - IR_CODE_PIECE;
	if (at < 0)
		return 0;
	if (end - IR_CODE_BYTES + at < pc)
		walk->scan.frame = ir_taken_by(end - IR_CODE_BYTES + at);
	return 1;
}
