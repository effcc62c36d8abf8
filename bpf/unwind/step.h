/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One frame of a walk: what code is the pc in, record it, find its rule, move to the caller. The kind of code is
 * decided anew for every frame: tables where the executable has them, frame pointers in anonymous code (a JIT).
 */
#pragma once

#include "lookup.h"
#include "walk.h"

#if defined(__TARGET_ARCH_arm64) || (defined(IR_HOST) && defined(__aarch64__))
#include "arch/arm64/apply.h"
#elif defined(__TARGET_ARCH_x86) || (defined(IR_HOST) && defined(__x86_64__))
#include "arch/x86_64/apply.h"
#else
#error "no unwinder for this architecture: add a folder under unwind/arch"
#endif
#include "go.h"

IR_INLINE void ir_apply(struct ir_walk *walk, const struct ir_rule *rule)
{
	u64 cfa;

	switch (rule->kind) {
	case IR_RULE_ROOT:
		ir_walk_stop(walk, IR_STOP_COMPLETE);
		return;
	case IR_RULE_NONE:
		ir_walk_stop(walk, IR_STOP_NO_CFI);
		return;
	case IR_RULE_SIGNAL:
		ir_step_signal(walk, rule->cfa_offset);
		return;
	case IR_RULE_FRAME_POINTER:
		ir_step_frame_pointer(walk, true);
		return;
	case IR_RULE_GO_SYSTEMSTACK:
		ir_step_go_switch(walk, true);
		return;
	case IR_RULE_GO_MORESTACK:
		ir_step_go_switch(walk, false);
		return;
	case IR_RULE_OFFSET:
	case IR_RULE_DEREF:
	case IR_RULE_PLT:
		if (ir_cfa(walk, rule, &cfa))
			ir_step_to_caller(walk, rule, cfa);
		return;
	default:
		ir_walk_stop(walk, IR_STOP_UNSUPPORTED_RULE);
	}
}

/* Code without a table: follow the frame pointer, and say that this is a guess. */
IR_INLINE void ir_step_without_table(struct ir_walk *walk, u64 address, u32 image, u32 flags)
{
	ir_walk_push_raw(walk, address, image, flags | IR_FRAME_LOW_CONFIDENCE);
	if (!walk->done)
		ir_step_frame_pointer(walk, false);
}

IR_INLINE void ir_walk_step(struct ir_walk *walk)
{
	u64 pc = walk->registers.pc;
	u32 flags = walk->return_address ? IR_FRAME_RETURN_ADDRESS : 0;
	u64 lookup = pc - walk->return_address;

	/* A zero return address is how runtimes mark the end of a stack that they made. */
	if (pc == 0 && walk->count > 0) {
		ir_walk_stop(walk, IR_STOP_COMPLETE);
		return;
	}
	if (!ir_find_mapping(walk, lookup)) {
		/* A leaf is real wherever it is; a return address outside all code is not one. */
		if (walk->count == 0)
			ir_walk_push_raw(walk, pc, IR_IMAGE_NONE, flags);
		ir_walk_defer(walk, IR_STOP_NO_MAPPING);
		return;
	}
	u32 image = walk->mapping.image;

	if (image == IR_IMAGE_PENDING) {
		ir_walk_push_raw(walk, pc, image, flags);
		ir_walk_defer(walk, IR_STOP_NO_TABLE);
		return;
	}
	if (image < IR_IMAGE_FIRST) {
		ir_step_without_table(walk, pc, image, flags);
		return;
	}
	u32 why;
	const struct ir_rule *rule = ir_find_rule(walk, image, lookup - walk->mapping.bias, &why);

	ir_walk_push(walk, pc - walk->mapping.bias, image, flags);
	if (walk->done)
		return;
	if (!rule)
		ir_walk_stop(walk, why);
	else
		ir_apply(walk, rule);
}
