/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The unwinder's surroundings on the host: callbacks over copied stacks, captured memory and loaded tables. */
#pragma once

#include <stdbool.h>
#include "walk.h"

struct ir_host {
	void *context;
	/* Copies size bytes of the process's memory at address; false if any byte is not available. */
	bool (*read)(void *context, void *destination, u32 size, u64 address);
	/* IR_SLAB_ROWS rows, or NULL. */
	const struct ir_row *(*row_slab)(void *context, u32 slab);
	/* Fills *page; false if the page is not loaded. */
	bool (*page)(void *context, const struct ir_page_key *key, struct ir_page *page);
	/* Fills *rule; false if the index is out of range. */
	bool (*rule)(void *context, u32 index, struct ir_rule *rule);
	/* Whether some memory that was asked for was not copied; NULL: all that is readable is there. */
	bool (*is_cut)(void *context);
	/* As ir_config has it, so that equal stacks have equal hashes here and there. */
	u64 hash_key;
	/* IR_RETURNS entries, or NULL. */
	const struct ir_return *returns;
	/* What came with a copy of the stack; NULL: code can be read as the stack can. */
	const struct ir_calls *calls;
	/* IR_MAPPING_SLAB_SIZE entries; walk->process says which are the process's. */
	const struct ir_mapping *mappings;
	/* Of the process's runtimes, or NULL. */
	const struct ir_runtime_states *states;
	/* Working memory of the lookups. */
	struct ir_page current_page;
	struct ir_rule current_rule;
};

/* Whose surroundings the calling thread unwinds in. */
extern _Thread_local struct ir_host *ir_current_host;

IR_INLINE bool ir_read_user(void *destination, u32 size, u64 address)
{
	return ir_current_host->read(ir_current_host->context, destination, size, address);
}

IR_INLINE const struct ir_mapping *ir_mapping_slab(const struct ir_walk *walk, u32 slab)
{
	return ir_current_host->mappings;
}

IR_INLINE const struct ir_row *ir_row_slab(const struct ir_walk *walk, u32 slab)
{
	return ir_current_host->row_slab(ir_current_host->context, slab);
}

IR_INLINE struct ir_page *ir_page_find(const struct ir_walk *walk, const struct ir_page_key *key)
{
	struct ir_host *host = ir_current_host;

	return host->page(host->context, key, &host->current_page) ? &host->current_page : 0;
}

/* On the host every rule is looked up. */
IR_INLINE struct ir_known_rules *ir_known_rules(struct ir_walk *walk)
{
	return 0;
}

IR_INLINE const struct ir_rule *ir_rule_at(const struct ir_walk *walk, u32 index)
{
	struct ir_host *host = ir_current_host;

	return host->rule(host->context, index, &host->current_rule) ? &host->current_rule : 0;
}

IR_INLINE const struct ir_runtime_states *ir_states_of_runtimes(struct ir_walk *walk)
{
	return ir_current_host->states;
}

/* On the host all registers are there from the start. */
IR_INLINE int ir_fetch_registers(struct ir_walk *walk)
{
	return 0;
}

IR_INLINE u64 ir_original_return(const struct ir_walk *walk, u64 slot)
{
	const struct ir_return *returns = ir_current_host->returns;

	for (u32 i = 0; returns && i < IR_RETURNS && returns[i].slot; i++) {
		if (returns[i].slot == slot)
			return returns[i].address;
	}
	return 0;
}

IR_INLINE u64 ir_thread_pointer(const struct ir_walk *walk)
{
	return walk->registers.thread_pointer;
}

IR_INLINE s64 ir_noted_call(u64 slot, u64 after)
{
	const struct ir_calls *calls = ir_current_host->calls;

	if (!calls)
		return -1;
	for (u32 i = 0; i < IR_CALLS && i < calls->count; i++) {
		if (calls->of[i].after == after)
			return (s64)calls->of[i].call;
	}
	return slot - calls->start < calls->end - calls->start ? IR_CALL_NONE : IR_CALL_UNREADABLE;
}

IR_INLINE s64 ir_noted_frame(u64 sp)
{
	const struct ir_calls *calls = ir_current_host->calls;

	if (!calls)
		return -1;
	return calls->start == sp ? (s64)calls->frame : 0;
}
