/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One step on arm64: (registers of a frame, its rule) -> registers of the caller. Never run so far.
 *
 *   OFFSET         CFA = reg + o;    sp' = CFA, pc' = *ra_slot or lr, fp' = *fp_slot
 *   FRAME_POINTER  pc' = *(fp + 8), fp' = *fp; sp' is at least fp + 16, and not known: the record may lie anywhere in
 *                  its frame
 *   GUESS          as FRAME_POINTER
 *   SIGNAL         all registers from the ucontext
 */
#pragma once

#include "../../lookup.h"
#include "../../stack.h"
#include "registers.h"

/* x16 to x30, sp and pc of struct sigcontext (asm/sigcontext.h). */
struct ir_signal_registers {
	u64 kept[15], sp, pc;
};
/* Of x16 within ucontext_t: flags, link, stack and mask take 168 bytes, aligned to 16; then fault_address, x0 to x15. */
#define IR_UCONTEXT_X16 (176 + 8 + 16 * 8)

IR_INLINE bool ir_register(const struct ir_walk *walk, u32 number, u64 *value)
{
	u32 kept = IR_ARM64_KEPT(number);

	*value = walk->registers.general[kept];
	return number >= IR_ARM64_FIRST_KEPT && number < 32 && ((walk->valid >> kept) & 1);
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
		return ir_register(walk, (u32)(slot - IR_SLOT_REGISTER), value) ? IR_RECOVERED : IR_LOST;
	if (slot >= IR_SLOT_RBP_FIRST) {
		if (!ir_register(walk, 29, &address))
			return IR_LOST;
		address += (s64)(slot - IR_SLOT_RBP_ZERO) * 8;
	}
	return ir_read_stack(walk, address, value) ? IR_RECOVERED : IR_UNREADABLE;
}

IR_INLINE void ir_step_signal(struct ir_walk *walk, s32 offset)
{
	struct ir_signal_registers saved;
	struct ir_registers *r = &walk->registers;

	if (!ir_read_user(&saved, sizeof(saved), r->general[IR_SP] + (s64)offset + IR_UCONTEXT_X16)) {
		ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
		return;
	}
	for (u32 i = 0; i < 15; i++)
		r->general[i] = saved.kept[i];
	r->general[IR_SP] = saved.sp;
	r->pc = saved.pc;
	walk->valid = 0xffff;
	walk->return_address = 0;
}

/* The register of a rule's CFA: of a runtime's rule, only half of its number is there. */
IR_INLINE u32 ir_cfa_register(const struct ir_rule *rule)
{
	return rule->kind & IR_RULE_OF_RUNTIME ? IR_ARM64_FIRST_KEPT | IR_ARM64_KEPT(rule->cfa_reg) : rule->cfa_reg;
}

/* CFA of a rule; false (with the walk stopped) if it cannot be known. */
IR_INLINE bool ir_cfa(struct ir_walk *walk, const struct ir_rule *rule, u64 *cfa)
{
	u32 kind = ir_native_kind(rule);
	u64 base;

	if (kind == IR_RULE_PLT) {
		ir_walk_stop(walk, IR_STOP_UNSUPPORTED_RULE);
		return false;
	}
	if (!ir_register(walk, ir_cfa_register(rule), &base)) {
		ir_walk_stop(walk, IR_STOP_REGISTER_LOST);
		return false;
	}
	base += (s64)rule->cfa_offset;
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

/*
 * Makes the caller's frame current. A caller's frame is above, or the chain is broken; a leaf whose return address is
 * still in a register may have no frame at all, which can be so once only: that register is lost with the step.
 */
IR_INLINE void ir_step_to_caller(struct ir_walk *walk, const struct ir_rule *rule, u64 cfa)
{
	u64 pc, fp = 0, sp = walk->registers.general[IR_SP];
	u32 valid = 1u << IR_SP;
	bool in_register = rule->ra_slot >= IR_SLOT_REGISTER;

	if (cfa < sp || (cfa == sp && !in_register)) {
		ir_walk_stop(walk, IR_STOP_NO_PROGRESS);
		return;
	}
	ir_stack_cover(walk, cfa - IR_NEAR_BYTES);
	enum ir_recovery got = ir_recover(walk, cfa, rule->ra_slot, 30, &pc);

	if (got != IR_RECOVERED) {
		ir_walk_stop(walk, got == IR_LOST ? IR_STOP_REGISTER_LOST : IR_STOP_STACK_UNREADABLE);
		return;
	}
	if (ir_recover(walk, cfa, rule->fp_slot, 29, &fp) == IR_RECOVERED)
		valid |= 1u << IR_FP;
	walk->registers.pc = pc & IR_ARM64_ADDRESS_MASK;
	walk->registers.general[IR_SP] = cfa;
	walk->registers.general[IR_FP] = fp;
	walk->valid = valid;
	walk->return_address = 1;
}

/* Whether a register of the caller is in one of the words that every step covers. */
IR_INLINE bool ir_is_near_slot(s32 slot)
{
	return slot <= -1 && slot >= -(s32)(IR_NEAR_BYTES / 8);
}

/*
 * The step that nearly all frames take: fp and lr are saved close to the CFA. Does as ir_apply would, in fewer instructions.
 * false, with nothing changed but the piece: that one has to do it.
 */
IR_INLINE bool ir_step_plain(struct ir_walk *walk, const struct ir_rule *rule)
{
	s32 fp_slot = rule->fp_slot, ra_slot = rule->ra_slot;
	u32 base = IR_ARM64_KEPT(rule->cfa_reg);

	if (rule->kind != IR_RULE_OFFSET || rule->cfa_reg < IR_ARM64_FIRST_KEPT || rule->cfa_reg >= 32 ||
	    !((walk->valid >> base) & 1) || !ir_is_near_slot(fp_slot) || !ir_is_near_slot(ra_slot))
		return false;
	u64 cfa = walk->registers.general[base] + (s64)rule->cfa_offset;

	if (cfa <= walk->registers.general[IR_SP])
		return false;
	ir_stack_cover(walk, cfa - IR_NEAR_BYTES);
	if (!walk->piece_bytes || ((cfa - walk->piece_start) & 7))
		return false;
	u64 word = (cfa - walk->piece_start) >> 3;

	walk->registers.pc = walk->piece[(word + ra_slot) & (IR_PIECE_WORDS - 1)] & IR_ARM64_ADDRESS_MASK;
	walk->registers.general[IR_SP] = cfa;
	walk->registers.general[IR_FP] = walk->piece[(word + fp_slot) & (IR_PIECE_WORDS - 1)];
	walk->valid = (1u << IR_SP) | (1u << IR_FP);
	walk->return_address = 1;
	return true;
}

/* (fp, pc) = (*fp, *(fp + 8)) */
IR_INLINE void ir_step_frame_pointer(struct ir_walk *walk, bool changes_stack)
{
	u64 pc, caller_fp, fp = walk->registers.general[IR_FP];

	if (!((walk->valid >> IR_FP) & 1)) {
		ir_walk_stop(walk, IR_STOP_REGISTER_LOST);
		return;
	}
	if ((!changes_stack && fp < walk->registers.general[IR_SP]) || (fp & 7)) {
		ir_walk_stop(walk, IR_STOP_BAD_FRAME_POINTER);
		return;
	}
	ir_stack_cover(walk, fp);
	if (!ir_read_stack(walk, fp + 8, &pc) || !ir_read_stack(walk, fp, &caller_fp)) {
		ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
		return;
	}
	walk->registers.pc = pc & IR_ARM64_ADDRESS_MASK;
	walk->registers.general[IR_SP] = fp + 16;
	walk->registers.general[IR_FP] = caller_fp;
	walk->valid = 1u << IR_FP;
	walk->return_address = 1;
}
