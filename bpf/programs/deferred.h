/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Samples that user space unwinds: what it needs for that, copied in the moment of the sample. */
#pragma once

#include "copy_calls.h"
#include "platform_bpf.h"
#include "runtimes/go/copy.h"
#include "send.h"

extern const volatile struct ir_config ir_config;

/* The address after a thread's own stack: the kernel has put the main thread's, and thread libraries keep theirs below TLS. */
IR_INLINE u64 stack_root(struct task_struct *task)
{
	u64 inside = ir_arch_thread_pointer(task);
	struct mm_struct *mm = task->mm;

	if (task->pid == task->tgid && mm)
		inside = mm->start_stack;
	return (inside + IR_COPY_PAGE) & ~(u64)(IR_COPY_PAGE - 1);
}

IR_INLINE bool may_copy(struct ir_cpu *cpu, u64 now)
{
	u64 second = now >> 30;

	if (cpu->copies_second != second) {
		cpu->copies_second = second;
		cpu->copies = 0;
	}
	return cpu->copies++ < ir_config.max_deferred;
}

/* A buffer that no other CPU fills now, or NULL. A CPU begins with its own, so that mostly one look is enough. */
IR_INLINE struct ir_copy *take_copy(u32 cpu)
{
	for (u32 i = 0; i < IR_COPIES; i++) {
		u32 index = (cpu + i) & (IR_COPIES - 1);
		struct ir_copy *copy = bpf_map_lookup_elem(&ir_copies, &index);

		if (copy && __sync_val_compare_and_swap(&copy->is_taken, 0, 1) == 0)
			return copy;
	}
	return 0;
}

IR_INLINE void give_back_copy(struct ir_copy *copy)
{
	__sync_lock_test_and_set(&copy->is_taken, 0);
}

/* The return addresses that uretprobes have replaced. */
IR_APART int copy_returns(struct ir_deferred *head, struct task_struct *task)
{
	struct return_instance *instance = 0;

	if (bpf_core_field_exists(task->utask) && task->utask)
		instance = task->utask->return_instances;
	for (u32 i = 0; i < IR_RETURNS; i++) {
		head->returns[i].slot = instance ? instance->stack : 0;
		head->returns[i].address = instance ? instance->orig_ret_vaddr : 0;
		if (instance)
			instance = instance->next;
	}
	return 0;
}

IR_APART int fill_copy(struct ir_cpu *cpu, struct task_struct *task, struct ir_copy *copy)
{
	copy->head.sample = cpu->walk.sample;
	copy->head.sample.type = IR_RECORD_DEFERRED;
	copy->head.missing = cpu->walk.missing;
	copy_returns(&copy->head, task);
	ir_saved_registers(task, &copy->head.registers);
	u64 sp = copy->head.registers.general[IR_ARCH_SP];

	copy_calls(&cpu->walk, &copy->head.registers, &copy->head.calls);
	bool on_signal_stack = sp - task->sas_ss_sp < task->sas_ss_size;
	struct copy_stack stack = {
		.copy = copy,
		.address = sp & ~(u64)(IR_COPY_PAGE - 1),
		.pages = copy->head.stack_pages,
	};

	copy->pages = 0;
	for (u32 i = 0; i < IR_COPY_WORDS; i++)
		copy->head.stack_pages[i] = copy->head.root_pages[i] = 0;
	for (u32 i = 0; i < IR_OTHER_PAGES; i++)
		copy->head.other_pages[i] = 0;
	copy->head.stack_address = stack.address;
	u64 root = stack_root(task), wanted = on_signal_stack ? IR_COPY_PAGES / 2 : IR_COPY_PAGES;

	/* Above the root are other things. */
	if (root > stack.address && (root - stack.address) / IR_COPY_PAGE < wanted)
		wanted = (root - stack.address) / IR_COPY_PAGE;
	bpf_loop(wanted, copy_page_up, &stack, 0);
	copy->head.root_address = root;
	if (on_signal_stack) {
		stack.address = root;
		stack.pages = copy->head.root_pages;
		bpf_loop(IR_COPY_PAGES / 2, copy_page_down, &stack, 0);
	} else {
		copy_goroutine(copy, task);
	}
	return 0;
}

/*
 * Sends the sample with registers and the top of the stack, for user space to unwind. false if it cannot: this CPU has done
 * so too often in this second, or all buffers are in use.
 */
IR_APART bool send_deferred(struct ir_cpu *cpu, struct task_struct *task)
{
	struct ir_copy *copy = may_copy(cpu, cpu->walk.sample.time_ns) ? take_copy(cpu->walk.sample.cpu) : 0;

	if (!copy) {
		ir_count(cpu, IR_STAT_UNCOPIED, 1);
		return false;
	}
	fill_copy(cpu, task, copy);
	u64 bytes = copy->pages * IR_COPY_PAGE;

	if (bytes > IR_STACK_COPY_MAX)
		bytes = IR_STACK_COPY_MAX;
	ir_count(cpu, IR_STAT_DEFERRED, 1);
	if (!send(cpu, &copy->head, sizeof(struct ir_deferred) + bytes, true))
		ir_count(cpu, IR_STAT_LOST_RING_FULL, 1);
	give_back_copy(copy);
	return true;
}
