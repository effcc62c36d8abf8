/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The unwinder's surroundings in the kernel: BPF helpers and maps. */
#pragma once

#include <bpf/bpf_core_read.h>

#include "kernel_types.h"
#include "maps.h"
#if defined(__TARGET_ARCH_arm64)
#include "arch/arm64/entry.h"
#else
#include "arch/x86_64/entry.h"
#endif

IR_INLINE bool ir_read_user(void *destination, u32 size, u64 address)
{
	return bpf_probe_read_user(destination, size, (const void *)address) == 0;
}

IR_INLINE const struct ir_mapping *ir_mapping_slab(const struct ir_walk *walk, u32 slab)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&ir_mapping_slabs, &slab);
	struct ir_mapping_slab *value = inner ? bpf_map_lookup_elem(inner, &zero) : 0;

	return value ? value->mappings : 0;
}

IR_INLINE const struct ir_row *ir_row_slab(const struct ir_walk *walk, u32 slab)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&ir_row_slabs, &slab);
	struct ir_row_slab *value = inner ? bpf_map_lookup_elem(inner, &zero) : 0;

	return value ? value->rows : 0;
}

IR_INLINE struct ir_page *ir_page_find(const struct ir_walk *walk, const struct ir_page_key *key)
{
	return bpf_map_lookup_elem(&ir_pages, key);
}

IR_INLINE struct ir_cpu *cpu_of(struct ir_walk *walk)
{
	return (struct ir_cpu *)((char *)walk - __builtin_offsetof(struct ir_cpu, walk));
}

IR_INLINE struct ir_known_rules *ir_known_rules(struct ir_walk *walk)
{
	return &cpu_of(walk)->known;
}

/*
 * Looked up when a rule asks for them, and at hand from then on for as long as the process is what it was told to be: each
 * telling has a run of its own.
 */
IR_APART const struct ir_runtime_states *ir_states_of_runtimes(struct ir_walk *walk)
{
	struct ir_runtime_states *known = &walk->states;
	u64 run = walk->process.run;
	u32 pid = walk->sample.pid;

	if (known->run == run)
		return known;
	struct ir_runtime_states *states = bpf_map_lookup_elem(&ir_runtime_states, &pid);

	if (!states)
		return 0;
	*known = *states;
	/* What is told now is of another run than the walk's, or the entry became another's while it was copied. */
	if (known->run != run || *(volatile u64 *)&states->run != run) {
		known->run = 0;
		ir_walk_defer(walk, IR_STOP_GO_STATE);
		return 0;
	}
	return known;
}

IR_INLINE const struct ir_rule *ir_rule_at(const struct ir_walk *walk, u32 index)
{
	return bpf_map_lookup_elem(&ir_rules, &index);
}

IR_APART int ir_fetch_registers(struct ir_walk *walk)
{
	ir_saved_registers(bpf_get_current_task_btf(), &walk->registers);
	walk->valid = 0xffff;
	return 0;
}

/* Probes that are looked at between a thread's leaf and its root. */
#define IR_MAX_RETURNS 64

IR_APART u64 ir_original_return(const struct ir_walk *walk, u64 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!bpf_core_field_exists(task->utask) || !task->utask)
		return 0;
	struct return_instance *instance = task->utask->return_instances;

	for (u32 i = 0; i < IR_MAX_RETURNS && instance; i++) {
		if (instance->stack == slot)
			return instance->orig_ret_vaddr;
		instance = instance->next;
	}
	return 0;
}

IR_INLINE s64 ir_noted_call(u64 slot, u64 after)
{
	return -1;
}

IR_INLINE s64 ir_noted_frame(u64 sp)
{
	return -1;
}

IR_INLINE u64 ir_thread_pointer(const struct ir_walk *walk)
{
	return ir_arch_thread_pointer(bpf_get_current_task_btf());
}
