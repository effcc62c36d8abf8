/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Compact unwind tables. Addresses are stated virtual addresses (SVMA: the ELF p_vaddr space) of an image.
 * They are cut into 64 KiB pages; a page's rows are sorted by their low 16 address bits, and a row is in force until
 * the next one. The first row of a page repeats the rule that is in force at the page's start, so no search leaves
 * its page.
 */
#pragma once

#define IR_PAGE_SHIFT 16
#define IR_PAGE_SIZE  (1u << IR_PAGE_SHIFT)

/* Rows live in slabs: one map value each. */
#define IR_SLAB_ROWS_SHIFT 17
#define IR_SLAB_ROWS	   (1u << IR_SLAB_ROWS_SHIFT)

/* A row's rule is an index into one table of distinct rules, shared by all images. */
#define IR_MAX_RULES 32768u

struct ir_row {
	unsigned short address_low;
	unsigned short rule;
};
_Static_assert(sizeof(struct ir_row) == 4, "a row is 4 bytes");

/* How the canonical frame address (CFA) is found. */
enum ir_rule_kind {
	/* No unwind information covers this address. */
	IR_RULE_NONE = 0,
	/* The return address is undefined: this frame is its thread's entry. */
	IR_RULE_ROOT = 1,
	/* CFA = reg + cfa_offset */
	IR_RULE_OFFSET = 2,
	/* CFA = *(reg + cfa_offset) + cfa_offset2 */
	IR_RULE_DEREF = 3,
	/* Lazy-binding PLT: CFA = rsp + cfa_offset + ((rip & 15) >= cfa_offset2 ? 8 : 0) */
	IR_RULE_PLT = 4,
	/* Signal trampoline: all registers are in the ucontext at rsp + cfa_offset. */
	IR_RULE_SIGNAL = 5,
	/* Frame pointer: CFA = rbp + 16, rbp at CFA - 16, return address at CFA - 8. */
	IR_RULE_FRAME_POINTER = 6,
	/* An expression that no other kind expresses. */
	IR_RULE_UNSUPPORTED = 9,
	/* No unwind information either, but the image keeps frame pointers: as in a JIT's code, a guess that says so. */
	IR_RULE_GUESS = 10,
	/* The page's rows could not be made: its file cannot be read any more. */
	IR_RULE_UNREADABLE = 16,
	/*
	 * Added to another kind: the code is a runtime's (enum ir_runtime), whose number is in the upper half of cfa_reg. The runtime
	 * makes the step, or leaves it to that other kind. With IR_RULE_NONE the runtime decides alone, and cfa_offset says what it
	 * has to do (enum ir_NAME_operation).
	 */
	IR_RULE_OF_RUNTIME = 0x80,
};

/* Where a runtime's number is in cfa_reg. The lower half is then the register, on arm64 less 16, as struct ir_registers has it. */
#define IR_RULE_RUNTIME_SHIFT 4

/*
 * Where a register's value in the caller is, in one signed 16-bit number:
 *   [-4096, 4095]       *(CFA + 8 * slot)
 *   [0x2000, 0x2fff]    *(rbp + 8 * (slot - 0x2800))
 *   0x4000 | r          the value of DWARF register r
 *   IR_SLOT_UNDEFINED   lost
 *   IR_SLOT_SAME        unchanged
 */
enum ir_slot {
	IR_SLOT_CFA_MIN = -4096,
	IR_SLOT_CFA_MAX = 4095,
	IR_SLOT_RBP_FIRST = 0x2000,
	IR_SLOT_RBP_ZERO = 0x2800,
	IR_SLOT_RBP_LAST = 0x2fff,
	IR_SLOT_REGISTER = 0x4000,
	IR_SLOT_UNDEFINED = 0x7ffe,
	IR_SLOT_SAME = 0x7fff,
};

/* A rule: everything that is needed to step from a frame to its caller. */
struct ir_rule {
	unsigned char kind;	/* enum ir_rule_kind, and IR_RULE_OF_RUNTIME */
	unsigned char cfa_reg;	/* DWARF register number, 0..31; of a runtime's rule, see IR_RULE_RUNTIME_SHIFT */
	short fp_slot;		/* the frame pointer, x86_64 rbp */
	short rbx_slot;		/* rbx: ld.so's lazy binding keeps the CFA in it */
	short ra_slot;		/* the return address */
	int cfa_offset;		/* bytes */
	int cfa_offset2;	/* bytes */
};
_Static_assert(sizeof(struct ir_rule) == 16, "a rule is 16 bytes");
