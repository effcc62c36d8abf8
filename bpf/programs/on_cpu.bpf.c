// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The sampler: runs on every timer interrupt of a busy CPU, takes the kernel and user stack, and sends a small record.
 *
 * Every sample that passes the filter is sent or counted: send_sample() is the only exit for them.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"
#include "maps.h"
#include "step.h"
#if defined(__TARGET_ARCH_arm64)
#include "arch/arm64/entry.h"
#else
#include "arch/x86_64/entry.h"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct ir_config ir_config SEC(".rodata.config");
volatile struct ir_live ir_live SEC(".data.live") = { .window = 1 };

/* Data waiting in the ring buffer that is worth waking user space for. */
#define IR_WAKE_BYTES (256 * 1024)

IR_INLINE u64 wake_flags(bool urgent)
{
	if (urgent || bpf_ringbuf_query(&ir_records, BPF_RB_AVAIL_DATA) > IR_WAKE_BYTES)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

IR_INLINE bool send(void *record, u64 size, bool urgent)
{
	return bpf_ringbuf_output(&ir_records, record, size, wake_flags(urgent)) == 0;
}

IR_INLINE bool passes_filter(u32 pid)
{
	if (ir_config.exclude_self && pid == ir_config.self_pid)
		return false;
	if (ir_config.filter == IR_FILTER_PIDS)
		return bpf_map_lookup_elem(&ir_filter_pids, &pid) != 0;
	if (ir_config.filter == IR_FILTER_CGROUPS) {
		u64 cgroup = bpf_get_current_cgroup_id();

		return bpf_map_lookup_elem(&ir_filter_cgroups, &cgroup) != 0;
	}
	return true;
}

/* Sends a stack unless it was sent in this window. */
IR_INLINE void send_stack_once(void *record, u64 size, u64 hash)
{
	u32 slot = (hash >> 32) & (IR_SENT_STACKS - 1);
	u64 mark = ir_hash_mix(hash, ir_live.window), *sent = bpf_map_lookup_elem(&ir_sent_stacks, &slot);

	if (!sent || *sent == mark)
		return;
	if (!send(record, size, false)) {
		ir_count(IR_STAT_LOST_STACK, 1);
		return;
	}
	*sent = mark;
	ir_count(IR_STAT_STACKS_SENT, 1);
}

/* The kernel stack's hash, having sent its frames if they are new; 0 if there is none. */
IR_INLINE u64 take_kernel_stack(struct bpf_perf_event_data *ctx, struct ir_scratch *scratch)
{
	long bytes = bpf_get_stack(ctx, scratch->kernel.addresses, IR_MAX_KERNEL_FRAMES * sizeof(u64), 0);
	u32 count = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	u64 hash = 0x6b65726e656c;

	if (count == 0)
		return 0;
	for (u32 i = 0; i < IR_MAX_KERNEL_FRAMES; i++) {
		if (i >= count)
			break;
		hash = ir_hash_mix(hash, scratch->kernel.addresses[i]);
	}
	ir_count(IR_STAT_KERNEL_FRAMES, count);
	scratch->kernel.head.type = IR_RECORD_KERNEL_STACK;
	scratch->kernel.head.count = count;
	scratch->kernel.head.hash = hash;
	u64 size = sizeof(struct ir_kernel_stack) + (u64)(count & 127) * sizeof(u64);

	send_stack_once(&scratch->kernel, size, hash);
	return hash;
}

/* bpf_loop takes nothing but a pointer to the stack. */
struct walk_loop {
	struct ir_walk *walk;
};

static long walk_step(u32 index, struct walk_loop *loop)
{
	ir_walk_step(loop->walk);
	return loop->walk->done & 1;
}

/*
 * The process entry of this address space. false if user space has not told us of it, or told us of an older exec. Two
 * samples in a row are mostly of one process: its entry and mappings then stay at hand.
 */
IR_INLINE bool find_process(struct ir_scratch *scratch, const struct ir_sample *sample, struct task_struct *task)
{
	struct ir_walk *walk = &scratch->walk;
	struct mm_struct *mm = task->mm;
	struct ir_process *process;
	struct ir_known_process now = {
		.mm = (u64)mm,
		.start_stack = mm->start_stack,
		.start_time_ns = sample->start_time_ns,
		.pid = sample->pid,
		.epoch = ir_live.processes_epoch,
	};

	if (ir_same_process(&scratch->known_process, &now))
		return true;
	scratch->known_process.pid = 0;
	ir_forget_mappings(walk);
	process = bpf_map_lookup_elem(&ir_processes, &now.pid);
	if (!process)
		return false;
	walk->process = *process;
	if (process->start_stack && process->start_stack != now.start_stack)
		return false;
	scratch->known_process = now;
	return true;
}

/* The user stack's hash, having sent its frames if they are new. */
IR_INLINE u64 finish_user_stack(struct ir_scratch *scratch, u32 pid)
{
	struct ir_walk *walk = &scratch->walk;
	u64 hash = ir_hash_mix(walk->hash, walk->stop);
	u32 count = walk->count;

	/* Addresses without an image mean something in one process only. */
	if (walk->anonymous)
		hash = ir_hash_mix(hash, pid);
	ir_count(IR_STAT_USER_STACKS, 1);
	ir_count(IR_STAT_USER_FRAMES, count);
	if (count > IR_MAX_USER_FRAMES)
		count = IR_MAX_USER_FRAMES;
	walk->head.type = IR_RECORD_STACK;
	walk->head.count = count;
	walk->head.hash = hash;
	walk->head.stop_reason = walk->stop;
	walk->head.pid = walk->anonymous ? pid : 0;
	u64 size = (u64)count * sizeof(struct ir_frame);

	if (size > sizeof(walk->frames))
		size = sizeof(walk->frames);
	send_stack_once(&walk->head, sizeof(struct ir_stack) + size, hash);
	return hash;
}

IR_INLINE bool may_defer(struct ir_scratch *scratch, u64 now)
{
	u64 second = now >> 30;

	if (scratch->defer_second != second) {
		scratch->defer_second = second;
		scratch->defer_count = 0;
	}
	return scratch->defer_count++ < ir_config.max_deferred;
}

struct copy_stack {
	struct ir_scratch *scratch;
	u64 page;
	u32 pages;
};

#define IR_COPY_PAGE  4096u
#define IR_COPY_PAGES (IR_STACK_COPY_MAX / IR_COPY_PAGE)

static long copy_stack_page(u32 index, struct copy_stack *copy)
{
	u32 offset = (index & (IR_COPY_PAGES - 1)) * IR_COPY_PAGE;

	if (offset > IR_STACK_COPY_MAX - IR_COPY_PAGE)
		return 1;
	if (!ir_read_user(copy->scratch->deferred.stack + offset, IR_COPY_PAGE, copy->page + offset))
		return 1;
	copy->pages = index + 1;
	return 0;
}

/* Sends the sample with registers and the top of the stack, for user space to unwind. */
IR_INLINE bool send_deferred(struct ir_scratch *scratch, const struct ir_sample *sample, const struct ir_registers *registers)
{
	struct copy_stack copy = {
		.scratch = scratch,
		.page = registers->general[IR_ARCH_SP] & ~(u64)(IR_COPY_PAGE - 1),
	};

	bpf_loop(IR_COPY_PAGES, copy_stack_page, &copy, 0);
	u64 bytes = (u64)copy.pages * IR_COPY_PAGE;

	if (bytes > IR_STACK_COPY_MAX)
		bytes = IR_STACK_COPY_MAX;
	scratch->deferred.head.sample = *sample;
	scratch->deferred.head.sample.type = IR_RECORD_DEFERRED;
	scratch->deferred.head.registers = *registers;
	scratch->deferred.head.stack_address = copy.page;
	scratch->deferred.head.stack_bytes = bytes;
	scratch->deferred.head.reserved = 0;
	ir_count(IR_STAT_DEFERRED, 1);
	return send(&scratch->deferred, sizeof(struct ir_deferred) + bytes, true);
}

/* A thread that exits, or is past the point of no return of an exec, has left its stack behind for good. */
IR_INLINE bool user_side_is_gone(struct task_struct *task, const struct ir_registers *registers)
{
	u64 top;

	return ir_leaves_address_space(task) && !ir_read_user(&top, sizeof(top), registers->general[IR_ARCH_SP]);
}

/* Takes the user stack. true if the sample was sent (or lost and counted) with a copy of the stack instead. */
IR_INLINE bool take_user_stack(struct ir_scratch *scratch, struct ir_sample *sample, struct task_struct *task)
{
	struct ir_walk *walk = &scratch->walk;
	struct walk_loop loop = { .walk = walk };
	struct ir_registers registers;
	bool known;

	ir_walk_begin(walk);
	walk->valid = 0xffff;
	walk->window = ir_live.window;
	walk->epoch = ir_live.tables_epoch;
	if (!ir_user_registers(task, &registers, sample)) {
		sample->flags |= IR_SAMPLE_NO_USER_SIDE;
		return false;
	}
	if ((sample->flags & IR_SAMPLE_IN_KERNEL) && user_side_is_gone(task, &registers)) {
		sample->flags |= IR_SAMPLE_NO_USER_SIDE;
		return false;
	}
	walk->registers = registers;
	walk->return_address = (sample->flags & IR_SAMPLE_IN_SYSCALL) ? 1 : 0;
	known = find_process(scratch, sample, task);
	if (!known)
		walk->process.state = 0;
	if (walk->process.state & IR_PROCESS_COMPAT)
		ir_walk_stop(walk, IR_STOP_COMPAT);
	else if (known)
		bpf_loop(IR_MAX_USER_FRAMES + 1, walk_step, &loop, 0);
	else
		ir_walk_defer(walk, IR_STOP_NOT_READY);
	if (walk->defer && may_defer(scratch, sample->time_ns)) {
		if (!send_deferred(scratch, sample, &registers))
			ir_count(IR_STAT_LOST_RING_FULL, 1);
		return true;
	}
	sample->user_stack = finish_user_stack(scratch, sample->pid);
	return false;
}

IR_INLINE void fill_sample(struct ir_sample *sample, u64 pid_tgid, struct task_struct *task)
{
	__builtin_memset(sample, 0, sizeof(*sample));
	sample->type = IR_RECORD_SAMPLE;
	sample->time_ns = bpf_ktime_get_ns();
	sample->start_time_ns = task->group_leader->start_boottime;
	sample->pid = pid_tgid >> 32;
	sample->tid = (u32)pid_tgid;
	sample->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

SEC("perf_event")
int ir_on_cpu(struct bpf_perf_event_data *ctx)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 pid = pid_tgid >> 32, cpu = bpf_get_smp_processor_id();
	struct task_struct *task = bpf_get_current_task_btf();
	struct ir_scratch *scratch = bpf_map_lookup_elem(&ir_scratches, &cpu);
	struct ir_sample sample;

	if (pid_tgid == 0 || ir_live.paused)
		return 0;
	if (!passes_filter(pid)) {
		ir_count(IR_STAT_FILTERED, 1);
		return 0;
	}
	ir_count(IR_STAT_SAMPLES, 1);
	if (!scratch) {
		ir_count(IR_STAT_LOST_RING_FULL, 1);
		return 0;
	}
	fill_sample(&sample, pid_tgid, task);
	if (!ir_in_user_mode(ctx)) {
		sample.flags |= IR_SAMPLE_IN_KERNEL;
		sample.kernel_stack = take_kernel_stack(ctx, scratch);
	}
	if (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER))
		sample.flags |= IR_SAMPLE_KERNEL_THREAD;
	else if (take_user_stack(scratch, &sample, task))
		return 0;
	if (!send(&sample, sizeof(sample), false))
		ir_count(IR_STAT_LOST_RING_FULL, 1);
	return 0;
}
