/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the walk meets language runtimes: a line for each. All else that concerns one is in its folder, runtimes/NAME. */
#pragma once

#include "walk.h"
#include "runtimes/go/step.h"
#include "runtimes/python/step.h"
#include "runtimes/v8/step.h"

#if defined(__TARGET_ARCH_arm64) || (defined(IR_HOST) && defined(__aarch64__))
/* Its frames are others there, and are not followed: user space tells of no machine. */
IR_INLINE bool ir_hotspot_step(struct ir_walk *walk, const struct ir_hotspot_state *jvm)
{
	return false;
}
#else
#include "runtimes/hotspot/step.h"
#endif

/* The frames that the last native one runs come before it. */
IR_INLINE void ir_begin_run(struct ir_walk *walk, u32 runtime)
{
	walk->runtime = runtime;
	walk->count -= 1;
	walk->held_frame = walk->frames[walk->count & (IR_MAX_USER_FRAMES - 1)];
	walk->hash = walk->held_hash;
	walk->held.kind &= (u8)~IR_RULE_OF_RUNTIME;
	walk->held.cfa_reg &= (1u << IR_RULE_RUNTIME_SHIFT) - 1;
}

/* Takes one frame of the runtime whose turn it is. false: the native one that runs them has no more. */
IR_INLINE bool ir_take_runtime_frame(struct ir_walk *walk)
{
	switch (walk->runtime) {
	case IR_RUNTIME_PYTHON:
		return ir_python_step(walk);
	default:
		return false;
	}
}

/* A frame at a pc outside all images, where a runtime puts code that it makes. 0: none has made it. */
IR_GLOBAL int ir_step_made_code(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	const struct ir_runtime_states *states = ir_states_of_runtimes(walk);

	if (!states)
		return 0;
	if (states->hot_spot.present && ir_hotspot_step(walk, &states->hot_spot))
		return 1;
	return states->v8.present && ir_v8_step(walk);
}

/* The step of a rule that is a runtime's. false: it leaves that to the native rule, as one does that is not known. */
IR_INLINE bool ir_step_runtime(struct ir_walk *walk, const struct ir_rule *rule)
{
	switch (rule->cfa_reg >> IR_RULE_RUNTIME_SHIFT) {
	case IR_RUNTIME_GO:
		return ir_go_step(walk, rule);
	case IR_RUNTIME_PYTHON:
		ir_begin_run(walk, IR_RUNTIME_PYTHON);
		return true;
	case IR_RUNTIME_V8:
		return ir_v8_step_in_image(walk);
	default:
		return false;
	}
}
