/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One step on x86_64: (registers of a frame, its rule) -> registers of the caller.
 *
 *   OFFSET         CFA = reg + o;                rsp' = CFA, rip' = *ra_slot, rbp' = *fp_slot, rbx' = *rbx_slot
 *   FRAME_POINTER  CFA = rbp + 16;               rsp' = CFA, rip' = *(CFA - 8), rbp' = *(CFA - 16)
 *   GUESS          FRAME_POINTER, but where the code or the stack shows that the leaf has no frame now
 *   SIGNAL         all registers from the ucontext
 */
#pragma once

#include "../../lookup.h"
#include "../../stack.h"
#include "registers.h"

/* mcontext_t.gregs by DWARF number: r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip (asm/sigcontext.h). */
struct ir_signal_registers {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
};
/* Of gregs within ucontext_t: uc_flags, uc_link, uc_stack (24 bytes). */
#define IR_UCONTEXT_GREGS 40

IR_INLINE bool ir_register(const struct ir_walk *walk, u32 number, u64 *value)
{
	number &= IR_REGISTERS - 1;
	*value = walk->registers.general[number];
	return (walk->valid >> number) & 1;
}

enum ir_recovery { IR_RECOVERED, IR_LOST, IR_UNREADABLE };

/* The caller's value of register `number`, by its slot. */
IR_INLINE enum ir_recovery ir_recover(const struct ir_walk *walk, u64 cfa, s32 slot, u32 number, u64 *value)
{
	u64 address = cfa + (s64)slot * 8;

	if (slot == IR_SLOT_SAME)
		return ir_register(walk, number, value) ? IR_RECOVERED : IR_LOST;
	if (slot == IR_SLOT_UNDEFINED)
		return IR_LOST;
	if (slot >= IR_SLOT_REGISTER)
		return ir_register(walk, (u32)slot, value) ? IR_RECOVERED : IR_LOST;
	if (slot >= IR_SLOT_RBP_FIRST) {
		if (!ir_register(walk, IR_RBP, &address))
			return IR_LOST;
		address += (s64)(slot - IR_SLOT_RBP_ZERO) * 8;
	}
	return ir_read_stack(walk, address, value) ? IR_RECOVERED : IR_UNREADABLE;
}

IR_INLINE void ir_step_signal(struct ir_walk *walk, s32 offset)
{
	struct ir_signal_registers saved;
	struct ir_registers *r = &walk->registers;

	if (!ir_read_user(&saved, sizeof(saved), r->general[IR_RSP] + (s64)offset + IR_UCONTEXT_GREGS)) {
		ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
		return;
	}
	r->general[IR_RAX] = saved.rax;
	r->general[IR_RDX] = saved.rdx;
	r->general[IR_RCX] = saved.rcx;
	r->general[IR_RBX] = saved.rbx;
	r->general[IR_RSI] = saved.rsi;
	r->general[IR_RDI] = saved.rdi;
	r->general[IR_RBP] = saved.rbp;
	r->general[IR_RSP] = saved.rsp;
	r->general[IR_R8] = saved.r8;
	r->general[IR_R9] = saved.r9;
	r->general[IR_R10] = saved.r10;
	r->general[IR_R11] = saved.r11;
	r->general[IR_R12] = saved.r12;
	r->general[IR_R13] = saved.r13;
	r->general[IR_R14] = saved.r14;
	r->general[IR_R15] = saved.r15;
	r->pc = saved.rip;
	walk->valid = 0xffff;
	walk->return_address = 0;
}

/*
 * Whether the instruction before an address is a call: by displacement, or through a register or memory. Where the code cannot be
 * read, being in an executable has to do: copies of stacks have none.
 */
IR_INLINE bool ir_is_after_call(struct ir_walk *walk, u64 address)
{
	u8 code[8];

	if (!ir_find_mapping(walk, address - 1) || walk->mapping.image < IR_IMAGE_FIRST)
		return false;
	if (!ir_read_user(code, sizeof(code), address - sizeof(code)))
		return true;
	/* call rel32; call *%r64; call *disp8(%r64), *(sib); call *disp8(sib); call *disp32(%r64), *disp32(%rip); call *disp32(sib) */
	return code[3] == 0xe8 || (code[6] == 0xff && (code[7] & 0x38) == 0x10) ||
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) || (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) || (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

/* A function that keeps its CFA in a register that calls may change has no larger frame. */
#define IR_LEAF_FRAME_BYTES 65536

/*
 * The second frame's CFA by a register that is lost in calls (OpenSSL's aesni_gcm_encrypt keeps it in rax while a subroutine
 * works that leaves rax alone): by the leaf's, if a return address is where it leads. false if not.
 */
IR_APART bool ir_recall_register(struct ir_walk *walk, const struct ir_rule *rule)
{
	u32 number = rule->cfa_reg & (IR_REGISTERS - 1), valid = walk->valid & ~IR_LEAF_REGISTERS;
	u64 pc = walk->registers.pc, sp = walk->registers.general[IR_RSP];
	u64 fp = walk->registers.general[IR_RBP], rbx = walk->registers.general[IR_RBX], ra;

	walk->valid = valid;
	if (ir_native_kind(rule) != IR_RULE_OFFSET || rule->ra_slot != -1 || number == IR_RBP || number == IR_RBX)
		return false;
	ir_fetch_registers(walk);
	walk->registers.pc = pc;
	walk->registers.general[IR_RSP] = sp;
	walk->registers.general[IR_RBP] = fp;
	walk->registers.general[IR_RBX] = rbx;
	walk->valid = valid;
	u64 cfa = walk->registers.general[number] + (s64)rule->cfa_offset;

	if (cfa <= sp || cfa - sp > IR_LEAF_FRAME_BYTES || (cfa & 7) || !ir_read_user(&ra, sizeof(ra), cfa - 8) ||
	    !ir_is_after_call(walk, ra))
		return false;
	walk->valid = valid | 1u << number;
	return true;
}

/* CFA of a rule; false (with the walk stopped) if it cannot be known. */
IR_INLINE bool ir_cfa(struct ir_walk *walk, const struct ir_rule *rule, u64 *cfa)
{
	u32 kind = ir_native_kind(rule), number = kind == IR_RULE_PLT ? IR_RSP : rule->cfa_reg;
	u64 base;

	if (!ir_register(walk, number, &base) &&
	    !((walk->valid & IR_LEAF_REGISTERS) && ir_recall_register(walk, rule) && ir_register(walk, number, &base))) {
		ir_walk_stop(walk, IR_STOP_REGISTER_LOST);
		return false;
	}
	base += (s64)rule->cfa_offset;
	if (kind == IR_RULE_PLT && (walk->registers.pc & 15) >= (u32)rule->cfa_offset2)
		base += 8;
	if (kind == IR_RULE_DEREF) {
		u64 pointer = base;

		if (!ir_read_user(&base, sizeof(base), pointer)) {
			ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
			return false;
		}
		base += (s64)rule->cfa_offset2;
	}
	*cfa = base;
	return true;
}

/* Makes the caller's frame current. The stack grows down: a caller's frame is above, or the chain is broken. */
IR_GLOBAL int ir_step_to_caller(struct ir_walk *walk, const struct ir_rule *rule, u64 cfa)
{
	if (!walk || !rule)
		return 0;
	u64 pc, fp = 0, rbx = 0;
	u32 valid = (1u << IR_RSP) | (walk->count == 1 && !walk->return_address ? IR_LEAF_REGISTERS : 0);

	/* vfork keeps its return address in a register while its frame is empty. */
	bool is_empty = cfa == walk->registers.general[IR_RSP] && rule->ra_slot >= IR_SLOT_REGISTER;

	if (cfa <= walk->registers.general[IR_RSP] && !is_empty) {
		ir_walk_stop(walk, IR_STOP_NO_PROGRESS);
		return 0;
	}
	ir_stack_cover(walk, cfa - IR_NEAR_BYTES);
	enum ir_recovery got = ir_recover(walk, cfa, rule->ra_slot, IR_RAX, &pc);

	if (got != IR_RECOVERED) {
		ir_walk_stop(walk, got == IR_LOST ? IR_STOP_REGISTER_LOST : IR_STOP_STACK_UNREADABLE);
		return 0;
	}
	if (ir_recover(walk, cfa, rule->fp_slot, IR_RBP, &fp) == IR_RECOVERED)
		valid |= 1u << IR_RBP;
	if (ir_recover(walk, cfa, rule->rbx_slot, IR_RBX, &rbx) == IR_RECOVERED)
		valid |= 1u << IR_RBX;
	walk->registers.pc = pc;
	walk->registers.general[IR_RSP] = cfa;
	walk->registers.general[IR_RBP] = fp;
	walk->registers.general[IR_RBX] = rbx;
	walk->valid = valid;
	walk->return_address = 1;
	return 0;
}

/* Whether a register of the caller is unchanged, or in one of the words that every step covers, below the return address. */
IR_INLINE bool ir_is_plain_slot(s32 slot)
{
	return slot == IR_SLOT_SAME || (slot < -1 && slot >= -(s32)(IR_NEAR_BYTES / 8));
}

/*
 * The step that nearly all frames take: the return address is below the CFA, and the saved registers close to it. Does as
 * ir_apply would, in fewer instructions. false, with nothing changed but the piece: that one has to do it.
 */
IR_INLINE bool ir_step_plain(struct ir_walk *walk, const struct ir_rule *rule)
{
	s32 fp_slot = rule->fp_slot, rbx_slot = rule->rbx_slot;
	u32 base = rule->cfa_reg & (IR_REGISTERS - 1), valid = walk->valid;

	if (rule->kind != IR_RULE_OFFSET || rule->ra_slot != -1 || !((valid >> base) & 1) ||
	    !ir_is_plain_slot(fp_slot) || !ir_is_plain_slot(rbx_slot))
		return false;
	u64 cfa = walk->registers.general[base] + (s64)rule->cfa_offset;

	if (cfa <= walk->registers.general[IR_RSP])
		return false;
	ir_stack_cover(walk, cfa - IR_NEAR_BYTES);
	if (!walk->piece_bytes || ((cfa - walk->piece_start) & 7))
		return false;
	u64 word = (cfa - walk->piece_start) >> 3;

	/* What more there is of the leaf's registers is its caller's to ask for. */
	valid = (1u << IR_RSP) | (valid & ((1u << IR_RBP) | (1u << IR_RBX))) | (valid & IR_MORE_REGISTERS) << 1;
	walk->registers.pc = walk->piece[(word - 1) & (IR_PIECE_WORDS - 1)];
	walk->registers.general[IR_RSP] = cfa;
	if (fp_slot != IR_SLOT_SAME) {
		walk->registers.general[IR_RBP] = walk->piece[(word + fp_slot) & (IR_PIECE_WORDS - 1)];
		valid |= 1u << IR_RBP;
	}
	if (rbx_slot != IR_SLOT_SAME) {
		walk->registers.general[IR_RBX] = walk->piece[(word + rbx_slot) & (IR_PIECE_WORDS - 1)];
		valid |= 1u << IR_RBX;
	}
	walk->valid = valid;
	walk->return_address = 1;
	return true;
}

/*
 * (rsp, rbp, rip) = (rbp + 16, *rbp, *(rbp + 8))
 * The frame pointer of code that changes stacks (Go's asmcgocall and vDSO callers) may lie anywhere; else it must lie
 * above rsp. Equality happens in a function that has just pushed it.
 */
IR_GLOBAL int ir_step_frame_pointer(struct ir_walk *walk, int changes_stack)
{
	if (!walk)
		return 0;
	u64 pc, caller_fp, fp = walk->registers.general[IR_RBP];

	if (!((walk->valid >> IR_RBP) & 1)) {
		ir_walk_stop(walk, IR_STOP_REGISTER_LOST);
		return 0;
	}
	if ((!changes_stack && fp < walk->registers.general[IR_RSP]) || (fp & 7)) {
		ir_walk_stop(walk, IR_STOP_BAD_FRAME_POINTER);
		return 0;
	}
	ir_stack_cover(walk, fp);
	if (!ir_read_stack(walk, fp + 8, &pc) || !ir_read_stack(walk, fp, &caller_fp)) {
		ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
		return 0;
	}
	walk->registers.pc = pc;
	walk->registers.general[IR_RSP] = fp + 16;
	walk->registers.general[IR_RBP] = caller_fp;
	walk->valid = (1u << IR_RSP) | (1u << IR_RBP);
	walk->return_address = 1;
	return 0;
}
