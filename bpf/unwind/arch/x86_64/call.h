/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a return address says of the call before it: whether there is one, and where it leads. Only memory is looked at, no
 * table and no mapping, so that a copy of a stack can take the answers along.
 */
#pragma once

#include "../../platform.h"

/* Of the stack, what is searched: qemu's code keeps 1.2 KiB of its own. */
#define IR_SCAN_BYTES 2048
/* Of a function's code, what is looked at to see whether it jumps on. */
#define IR_ENTRY_WORDS 4

/* The high bit of each byte that is zero. */
IR_INLINE u64 ir_zero_bytes(u64 bytes)
{
	const u64 low = 0x7f7f7f7f7f7f7f7fULL;

	return ~(((bytes & low) + low) | bytes | low);
}

/* Not zero if there may be a jump to where a register or memory says: ff /4. */
IR_INLINE u64 ir_has_jump(const u64 *code)
{
	u64 found = 0;

	for (u32 i = 0; i + 1 < IR_ENTRY_WORDS; i++) {
		u64 next = code[i] >> 8 | code[i + 1] << 56;

		found |= ir_zero_bytes(~code[i]) &
			 ir_zero_bytes((next & 0x3838383838383838ULL) ^ 0x2020202020202020ULL);
	}
	return found;
}

/*
 * Where a direct call ends up, if that can be seen: a stub of the linkage table is followed, and a short function that jumps
 * where it was told leads anywhere.
 */
IR_APART u64 ir_follow_call(u64 target)
{
	u64 code[IR_ENTRY_WORDS], at = target, first;
	s32 displacement;

	if (!ir_read_user(code, sizeof(code), target))
		return target;
	first = code[0];
	/* endbr64, bnd */
	if ((u32)first == 0xfa1e0ff3) {
		first >>= 32;
		at += 4;
	}
	if ((first & 0xff) == 0xf2) {
		first >>= 8;
		at += 1;
	}
	/* jmp *disp32(%rip) */
	if ((first & 0xffff) == 0x25ff) {
		if (!ir_read_user(&displacement, sizeof(displacement), at + 2) ||
		    !ir_read_user(&target, sizeof(target), at + 6 + (s64)displacement) ||
		    !ir_read_user(code, sizeof(code), target))
			return IR_CALL_ANYWHERE;
	}
	return ir_has_jump(code) || target <= IR_CALL_ANYWHERE ? IR_CALL_ANYWHERE : target;
}

/* Whether `rest`, the bytes from ff on, is a call through a register or memory that is `length` bytes long. */
IR_INLINE bool ir_is_indirect_call(u64 rest, u32 length)
{
	u32 modrm = rest >> 8 & 0xff, mode = modrm >> 6, base = modrm & 7;
	u32 expected = 2;

	if ((rest & 0xff) != 0xff || (modrm & 0x38) != 0x10)
		return false;
	if (mode == 1)
		expected += 1;
	else if (mode == 2 || (mode == 0 && base == 5))
		expected += 4;
	if (mode != 3 && base == 4)
		expected += 1 + (mode == 0 && (rest >> 16 & 7) == 5 ? 4 : 0);
	return expected == length;
}

/* What is before an address, as memory has it: enum ir_call. */
IR_GLOBAL u64 ir_read_call(u64 after)
{
	u64 code, entry;

	if (!ir_read_user(&code, sizeof(code), after - sizeof(code)))
		return IR_CALL_UNREADABLE;
	s64 displacement = (s32)(code >> 32);

	/* call rel32, if there is anything where it leads */
	if ((code >> 24 & 0xff) == 0xe8 && ir_read_user(&entry, sizeof(entry), after + displacement))
		return ir_follow_call(after + displacement);
	/* call *disp32(%rip): the word is there to be read */
	if ((code >> 16 & 0xffff) == 0x15ff && ir_read_user(&entry, sizeof(entry), after + displacement))
		return entry > IR_CALL_ANYWHERE ? entry : IR_CALL_ANYWHERE;
	if (ir_is_indirect_call(code >> 48, 2) || ir_is_indirect_call(code >> 40, 3) ||
	    ir_is_indirect_call(code >> 32, 4) || ir_is_indirect_call(code >> 16, 6) ||
	    ir_is_indirect_call(code >> 8, 7))
		return IR_CALL_ANYWHERE;
	return IR_CALL_NONE;
}

/* As ir_read_call, of the return address in a word of the stack. Copies of stacks have no code, but have the answers. */
IR_INLINE u64 ir_call_before(u64 slot, u64 after)
{
	s64 noted = ir_noted_call(slot, after);

	return noted >= 0 ? (u64)noted : ir_read_call(after);
}
