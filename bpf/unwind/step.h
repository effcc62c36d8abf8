/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One frame of a walk: what code is the pc in, record it, find its rule, move to the caller. The kind of code is
 * decided anew for every frame: tables where the executable has them, frame pointers in anonymous code (a JIT) and in
 * executables that keep them in place of tables.
 */
#pragma once

#include "lookup.h"
#include "walk.h"

#if defined(__TARGET_ARCH_arm64) || (defined(IR_HOST) && defined(__aarch64__))
#include "arch/arm64/apply.h"
#include "arch/arm64/guess.h"
#elif defined(__TARGET_ARCH_x86) || (defined(IR_HOST) && defined(__x86_64__))
#include "arch/x86_64/apply.h"
#include "arch/x86_64/guess.h"
#else
#error "no unwinder for this architecture: add a folder under unwind/arch"
#endif
#include "runtime.h"

/* What a rule says, whatever it says. */
IR_GLOBAL int ir_apply(struct ir_walk *walk)
{
	u64 cfa;

	if (!walk)
		return 0;
	const struct ir_rule *rule = &walk->held;

	if (walk->valid & IR_MORE_REGISTERS)
		ir_fetch_registers(walk);
	if ((rule->kind & IR_RULE_OF_RUNTIME) && ir_step_runtime(walk, rule))
		return 0;
	switch (ir_native_kind(rule)) {
	case IR_RULE_ROOT:
		ir_walk_stop(walk, IR_STOP_COMPLETE);
		return 0;
	case IR_RULE_NONE:
		ir_walk_stop(walk, IR_STOP_NO_CFI);
		return 0;
	case IR_RULE_UNREADABLE:
		ir_walk_stop(walk, IR_STOP_NO_TABLE);
		return 0;
	case IR_RULE_SIGNAL:
		ir_step_signal(walk, rule->cfa_offset);
		return 0;
	case IR_RULE_FRAME_POINTER:
		ir_step_frame_pointer(walk, true);
		return 0;
	case IR_RULE_GUESS:
		ir_walk_doubt(walk);
		ir_step_guess(walk);
		return 0;
	case IR_RULE_OFFSET:
	case IR_RULE_DEREF:
	case IR_RULE_PLT:
		if (ir_cfa(walk, rule, &cfa))
			ir_step_to_caller(walk, rule, cfa);
		return 0;
	default:
		ir_walk_stop(walk, IR_STOP_UNSUPPORTED_RULE);
	}
	return 0;
}

/* Code without a table: find the caller by the frame pointer or by a search, and say that this is a guess. */
IR_INLINE void ir_step_without_table(struct ir_walk *walk, u64 address, u32 image, u32 flags)
{
	ir_walk_push_raw(walk, address, image, flags | IR_FRAME_LOW_CONFIDENCE);
	if (!walk->done)
		ir_step_out_of_jit(walk);
}

/*
 * Goes on where a uretprobe's trampoline will return to: the kernel has put the trampoline's address in place of the caller's,
 * and keeps that. The frame's return address was in the word below its CFA, which is sp now. false if it is none.
 */
IR_INLINE bool ir_pass_uretprobe(struct ir_walk *walk, u64 pc)
{
	u64 original;

	if (!walk->return_address || walk->count == 0)
		return false;
	original = ir_original_return(walk, walk->registers.general[IR_ARCH_SP] - 8);
	if (original == 0 || original == pc)
		return false;
	walk->registers.pc = original;
	return true;
}

/* Of a pc in no image that has a table: in no mapping, in one that is still being read, or in anonymous code. */
IR_GLOBAL int ir_step_outside_images(struct ir_walk *walk, u64 pc, u32 flags, int is_mapped)
{
	if (!walk)
		return 0;
	u32 image = walk->mapping.image;

	if (ir_pass_uretprobe(walk, pc))
		return 0;
	if ((walk->process.state & IR_PROCESS_MAKES_CODE) && (ir_step_made_code(walk) || walk->done))
		return 0;
	if (!is_mapped) {
		/* A leaf is real wherever it is; a return address outside all code is not one. */
		if (walk->count == 0)
			ir_walk_push_raw(walk, pc, IR_IMAGE_NONE, flags);
		if (walk->process.state & IR_PROCESS_SETTLED)
			ir_walk_stop(walk, IR_STOP_NO_MAPPING);
		else
			ir_walk_defer(walk, IR_STOP_NO_MAPPING);
	} else if (image == IR_IMAGE_PENDING) {
		ir_walk_push_raw(walk, pc, image, flags);
		ir_walk_defer(walk, IR_STOP_NO_TABLE);
	} else {
		ir_step_without_table(walk, pc, image, flags);
	}
	return 0;
}

IR_INLINE void ir_step_once(struct ir_walk *walk)
{
	u64 pc = walk->registers.pc;
	u32 flags = walk->return_address ? IR_FRAME_RETURN_ADDRESS : 0;
	u64 lookup = pc - walk->return_address;

	/*
	 * A zero return address is how runtimes mark the end of a stack that they made. Where a search has led to it, it is one of
	 * the many zeros on a stack.
	 */
	if (pc == 0 && walk->count > 0) {
		ir_walk_stop(walk, walk->scan.phase ? IR_STOP_NO_MAPPING : IR_STOP_COMPLETE);
		return;
	}
	bool is_mapped = ir_find_mapping(walk, lookup);
	u32 image = walk->mapping.image;

	if (!is_mapped || image < IR_IMAGE_FIRST) {
		ir_step_outside_images(walk, pc, flags, is_mapped);
		return;
	}
	const struct ir_rule *rule = ir_find_rule(walk, image, lookup - walk->mapping.bias);

	u64 hash = walk->hash;

	ir_walk_push(walk, pc - walk->mapping.bias, image, flags);
	if (walk->done)
		return;
	if (!rule) {
		walk->done = 1;
		walk->defer = walk->missing.image != 0;
	} else if (!ir_step_plain(walk, rule)) {
		walk->held = *rule;
		walk->held_hash = hash;
		ir_apply(walk);
	}
}

/* One frame of a runtime, or the step to the caller of the native frame that runs them. */
IR_GLOBAL int ir_step_in_run(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	if (ir_take_runtime_frame(walk) || walk->done)
		return 0;
	const struct ir_frame *held = &walk->held_frame;

	walk->runtime = 0;
	ir_walk_push_frame(walk, held->place, held->space, held->position);
	if (!walk->done)
		ir_apply(walk);
	return 0;
}

IR_INLINE void ir_walk_step(struct ir_walk *walk)
{
	u32 phase = walk->scan.phase;

	if (walk->runtime) {
		ir_step_in_run(walk);
		return;
	}
	if (phase != IR_SCAN_NONE && phase != IR_SCAN_TRIES) {
		ir_scan_word(walk);
		return;
	}
	ir_step_once(walk);
	if (walk->scan.phase == IR_SCAN_TRIES)
		ir_scan_check(walk);
}
