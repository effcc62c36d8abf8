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
	if (bytes == 0 || !may_send(buffer, now) ||
	    bpf_probe_read_user(buffer->environment, bytes, (const void *)start))
		return;
	buffer->head.type = IR_RECORD_EXEC;
	buffer->head.pid = pid;
	buffer->head.time_ns = now;
	buffer->head.environment_bytes = bytes;
	bpf_ringbuf_output(&ir_records, &buffer->head, sizeof(struct ir_exec) + bytes, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ir_exec, struct task_struct *task)
{
	u32 pid = task->tgid;

	bpf_map_delete_elem(&ir_processes, &pid);
	if (ir_config.filter != IR_FILTER_PIDS || bpf_map_lookup_elem(&ir_filter_pids, &pid))
		send_environment(task, pid);
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
