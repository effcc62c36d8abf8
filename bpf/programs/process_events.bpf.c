// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Keeps what the kernel side knows of processes true between two events that user space sees: a forked child has its
 * parent's mappings and runtimes, and an exec has none that we know. User space follows with the whole truth.
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

/* These run as tasks, and the sampler may interrupt them: the counters that both have are theirs alone. */
IR_INLINE void count_event(enum ir_stat stat)
{
	u32 index = bpf_get_smp_processor_id();
	struct ir_cpu *cpu = bpf_map_lookup_elem(&ir_cpus, &index);

	if (cpu)
		__sync_fetch_and_add(&cpu->counters.of[stat], 1);
}

/* A child is selected as its parent is. Of a process that had its pid before, nothing is left. */
IR_INLINE void inherit_selection(u32 parent, u32 child)
{
	u32 *selection, own;

	if (ir_config.filter != IR_FILTER_PIDS)
		return;
	selection = bpf_map_lookup_elem(&ir_filter_pids, &parent);
	own = selection ? *selection : 0;
	if (!own)
		bpf_map_delete_elem(&ir_filter_pids, &child);
	else if (bpf_map_update_elem(&ir_filter_pids, &child, &own, BPF_ANY))
		count_event(IR_STAT_LOST_SELECTION);
}

IR_INLINE void forget(u32 pid)
{
	bpf_map_delete_elem(&ir_processes, &pid);
	bpf_map_delete_elem(&ir_runtime_states, &pid);
}

/* Of runtimes a child has its parent's. false if there is no room for it. */
IR_INLINE bool inherit_states(u32 parent, u32 child)
{
	struct ir_runtime_states *states = bpf_map_lookup_elem(&ir_runtime_states, &parent);

	if (states)
		return bpf_map_update_elem(&ir_runtime_states, &child, states, BPF_ANY) == 0;
	bpf_map_delete_elem(&ir_runtime_states, &child);
	return true;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(ir_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_pid = parent->tgid, child_pid = child->tgid;
	struct ir_process *process;

	/* A new thread, not a new process. */
	if (parent_pid == child_pid)
		return 0;
	inherit_selection(parent_pid, child_pid);
	process = bpf_map_lookup_elem(&ir_processes, &parent_pid);
	/* A child that cannot have all is one that nothing is known of. */
	if (process && inherit_states(parent_pid, child_pid)) {
		struct ir_process copy = *process;

		bpf_map_update_elem(&ir_processes, &child_pid, &copy, BPF_ANY);
	} else {
		forget(child_pid);
	}
	return 0;
}

/* Environments that one CPU sends in a second (of 2^30 ns): a shell loop of small programs stays below. */
#define MOST_EXECS 500

struct exec_buffer {
	u64 second;
	u64 count;
	struct ir_exec head;
	unsigned char environment[IR_ENVIRONMENT_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_buffer);
} ir_exec_buffers SEC(".maps");

IR_INLINE bool may_send(struct exec_buffer *buffer, u64 now)
{
	if (buffer->second != now >> 30) {
		buffer->second = now >> 30;
		buffer->count = 0;
	}
	return buffer->count++ < MOST_EXECS;
}

/* The service that a process belongs to is often said in its environment alone. */
IR_INLINE void send_environment(struct task_struct *task, u32 pid)
{
	u32 zero = 0;
	struct exec_buffer *buffer = bpf_map_lookup_elem(&ir_exec_buffers, &zero);
	struct mm_struct *mm = task->mm;

	if (!buffer || !mm)
		return;
	u64 now = bpf_ktime_get_ns(), start = mm->env_start, bytes = mm->env_end - start;

	if (bytes > IR_ENVIRONMENT_MAX)
		bytes = IR_ENVIRONMENT_MAX;
	if (bytes == 0)
		return;
	if (!may_send(buffer, now) || bpf_probe_read_user(buffer->environment, bytes, (const void *)start)) {
		count_event(IR_STAT_LOST_ENVIRONMENT);
		return;
	}
	buffer->head.type = IR_RECORD_EXEC;
	buffer->head.pid = pid;
	buffer->head.time_ns = now;
	buffer->head.environment_bytes = bytes;
	if (bpf_ringbuf_output(&ir_records, &buffer->head, sizeof(struct ir_exec) + bytes, BPF_RB_NO_WAKEUP))
		count_event(IR_STAT_LOST_ENVIRONMENT);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ir_exec, struct task_struct *task)
{
	u32 pid = task->tgid, *selection = 0;

	forget(pid);
	if (ir_config.filter == IR_FILTER_PIDS) {
		selection = bpf_map_lookup_elem(&ir_filter_pids, &pid);
		if (!selection)
			return 0;
		*selection = IR_SELECTED;
	}
	send_environment(task, pid);
	return 0;
}

/* A thread group lives until its last thread: the one that is told of last, with nobody left (kernel/exit.c, do_exit). */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ir_exit, struct task_struct *task)
{
	if (task->signal->live.counter == 0)
		forget(task->tgid);
	return 0;
}
