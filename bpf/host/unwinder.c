// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The kernel's unwinder, built for the host. */
#include "unwinder.h"

#include "step.h"

_Thread_local struct ir_host *ir_current_host;

void ir_host_unwind(struct ir_host *host, struct ir_walk *walk)
{
	ir_current_host = host;
	ir_walk_begin(walk, host->hash_key);
	ir_forget_mappings(walk);
	for (u32 step = 0; step < IR_MAX_STEPS && !walk->done; step++)
		ir_walk_step(walk);
	ir_walk_end(walk);
	if (walk->stop == IR_STOP_STACK_UNREADABLE && host->is_cut && host->is_cut(host->context))
		walk->stop = IR_STOP_STACK_COPY_LIMIT;
	walk->hash = ir_stack_hash(walk, walk->sample.pid);
	ir_current_host = 0;
}
