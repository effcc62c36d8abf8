/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the walk meets language runtimes: a line for each. All else that concerns one is in its folder, runtimes/NAME. */
#pragma once

#include "walk.h"
#include "runtimes/go/step.h"

/* The step of a rule that is a runtime's. false: it leaves that to the native rule, as one does that is not known. */
IR_INLINE bool ir_step_runtime(struct ir_walk *walk, const struct ir_rule *rule)
{
	switch (rule->cfa_reg >> IR_RULE_RUNTIME_SHIFT) {
	case IR_RUNTIME_GO:
		return ir_go_step(walk, rule);
	default:
		return false;
	}
}
