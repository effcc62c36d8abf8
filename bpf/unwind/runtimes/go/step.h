/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Go's stack switches. runtime.systemstack and runtime.morestack run on the thread's system stack (g0) on behalf of a
 * goroutine, whose own position they left in g.sched: the walk goes on there (Go runtime, asm_amd64.s).
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"

struct ir_go_position {
	u64 sp;
	u64 pc;
	u64 bp;
};

enum ir_go_switch { IR_GO_UNREADABLE, IR_GO_NO_GOROUTINE, IR_GO_ON_BEHALF };

/* g.m.curg.sched of the current thread. */
IR_INLINE enum ir_go_switch ir_go_current(struct ir_walk *walk, struct ir_go_position *position)
{
	const struct ir_runtime_states *states = ir_states_of_runtimes(walk);
	u64 g, m, curg;

	if (!states || !states->go.present)
		return IR_GO_UNREADABLE;
	const struct ir_go_state *go = &states->go;

	if (!ir_read_user(&g, sizeof(g), ir_thread_pointer(walk) + (s64)go->g_tls_offset) ||
	    !ir_read_user(&m, sizeof(m), g + go->g_m) || !ir_read_user(&curg, sizeof(curg), m + go->m_curg))
		return IR_GO_UNREADABLE;
	if (curg == 0)
		return IR_GO_NO_GOROUTINE;
	if (!ir_read_user(&position->sp, sizeof(u64), curg + go->g_sched_sp) ||
	    !ir_read_user(&position->pc, sizeof(u64), curg + go->g_sched_pc) ||
	    !ir_read_user(&position->bp, sizeof(u64), curg + go->g_sched_bp))
		return IR_GO_UNREADABLE;
	return IR_GO_ON_BEHALF;
}

/*
 * systemstack: sched.sp points at the return address into systemstack's caller.
 *   (rip, rsp) = (*sp, sp + 8)
 * morestack: sched holds the caller's position itself.
 *   (rip, rsp) = (pc, sp)
 */
IR_INLINE void ir_go_switch_stacks(struct ir_walk *walk, bool through_systemstack)
{
	struct ir_go_position position;

	enum ir_go_switch found = ir_go_current(walk, &position);

	if (found != IR_GO_ON_BEHALF) {
		/* The scheduler has let the goroutine go: the system stack is all there is. */
		ir_walk_stop(walk, found == IR_GO_NO_GOROUTINE ? IR_STOP_COMPLETE : IR_STOP_GO_STATE);
		return;
	}
	if (through_systemstack) {
		if (!ir_read_user(&position.pc, sizeof(u64), position.sp)) {
			ir_walk_stop(walk, IR_STOP_STACK_UNREADABLE);
			return;
		}
		position.sp += 8;
	}
	walk->registers.pc = position.pc;
	walk->registers.general[IR_ARCH_SP] = position.sp;
	walk->registers.general[IR_ARCH_FP] = position.bp;
	walk->valid = (1u << IR_ARCH_SP) | (1u << IR_ARCH_FP);
	walk->return_address = 1;
}

/* Go's rules leave nothing to a native one. */
IR_INLINE bool ir_go_step(struct ir_walk *walk, const struct ir_rule *rule)
{
	s32 operation = rule->cfa_offset;

	if (operation == IR_GO_SYSTEMSTACK || operation == IR_GO_MORESTACK)
		ir_go_switch_stacks(walk, operation == IR_GO_SYSTEMSTACK);
	else
		ir_walk_stop(walk, IR_STOP_UNSUPPORTED_RULE);
	return true;
}
