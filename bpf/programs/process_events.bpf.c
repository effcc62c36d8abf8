// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Keeps what the kernel side knows of processes true between two events that user space sees: a forked child has its
 * parent's mappings, and an exec has none that we know. User space follows with the whole truth.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"
#include "maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct ir_config ir_config SEC(".rodata.config");

SEC("tp_btf/sched_process_fork")
int BPF_PROG(ir_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_pid = parent->tgid, child_pid = child->tgid;
	struct ir_process *process;

	/* A new thread, not a new process. */
	if (parent_pid == child_pid)
		return 0;
	if (ir_config.filter == IR_FILTER_PIDS && bpf_map_lookup_elem(&ir_filter_pids, &parent_pid)) {
		u32 generation = 1;

		bpf_map_update_elem(&ir_filter_pids, &child_pid, &generation, BPF_ANY);
	}
	process = bpf_map_lookup_elem(&ir_processes, &parent_pid);
	if (process) {
		struct ir_process copy = *process;

		bpf_map_update_elem(&ir_processes, &child_pid, &copy, BPF_ANY);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ir_exec, struct task_struct *task)
{
	u32 pid = task->tgid;

	bpf_map_delete_elem(&ir_processes, &pid);
	return 0;
}

/* The leader's exit is mostly the process's; should other threads live on, user space tells of the process again. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ir_exit, struct task_struct *task)
{
	u32 pid = task->tgid;

	if ((u32)task->pid == pid)
		bpf_map_delete_elem(&ir_processes, &pid);
	return 0;
}
