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

#include "deferred.h"
#include "kernel_types.h"
#include "maps.h"
#include "send.h"
#include "step.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct ir_config ir_config SEC(".rodata.config");
volatile struct ir_live ir_live SEC(".data.live") = { .window = 1 };

/* How deep below the root a chosen cgroup may be, so that those made below it later are chosen with it. */
#define CGROUP_DEPTH 32

_Static_assert(CGROUP_DEPTH <= 64, "each level is a lookup in every sample");

/*
 * Whether the cgroup of this thread, or one that it is in, was chosen. Inlined: as a function apart it doubles what the
 * verifier of 6.18 looks at, from 39 to 79 thousand instructions.
 */
IR_INLINE bool is_in_chosen_cgroup(void)
{
	u64 own = bpf_get_current_cgroup_id();

	if (bpf_map_lookup_elem(&ir_filter_cgroups, &own))
		return true;
	for (int level = 0; level < CGROUP_DEPTH; level++) {
		u64 ancestor = bpf_get_current_ancestor_cgroup_id(level);

		/* 0: there is no such level; its own is asked already */
		if (ancestor == 0 || ancestor == own)
			return false;
		if (bpf_map_lookup_elem(&ir_filter_cgroups, &ancestor))
			return true;
	}
	return false;
}

IR_INLINE bool passes_filter(u32 pid)
{
	if (ir_config.exclude_self && pid == ir_config.self_pid)
		return false;
	if (ir_config.filter == IR_FILTER_PIDS) {
		u32 *selection = bpf_map_lookup_elem(&ir_filter_pids, &pid);

		return selection && *selection == IR_SELECTED;
	}
	if (ir_config.filter == IR_FILTER_CGROUPS)
		return is_in_chosen_cgroup();
	return true;
}

/* Where it is noted that a stack was sent, and what as: ir_sent_stacks. */
struct mark {
	u64 *place;
	u64 value;
};

IR_INLINE bool is_new_stack(u64 hash, struct mark *mark)
{
	u32 slot = (hash >> 32) & (IR_SENT_STACKS - 1);

	mark->value = ir_hash_mix(hash, ir_live.window);
	mark->place = bpf_map_lookup_elem(&ir_sent_stacks, &slot);
	return mark->place && *mark->place != mark->value;
}

/* Takes the kernel stack: its hash, having sent its frames if they are new; 0 if there is none. */
IR_APART u64 take_kernel_stack(struct bpf_perf_event_data *ctx, struct ir_cpu *cpu)
{
	long bytes = bpf_get_stack(ctx, cpu->kernel.addresses, IR_MAX_KERNEL_FRAMES * sizeof(u64), 0);
	u32 count = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	u64 hash = ir_config.hash_key ^ 0x6b65726e656c;
	struct mark mark;

	if (count == 0)
		return 0;
	for (u32 i = 0; i < IR_MAX_KERNEL_FRAMES; i++) {
		if (i >= count)
			break;
		hash = ir_hash_mix(hash, cpu->kernel.addresses[i]);
	}
	ir_count(cpu, IR_STAT_KERNEL_FRAMES, count);
	if (!is_new_stack(hash, &mark))
		return hash;
	cpu->kernel.head.type = IR_RECORD_KERNEL_STACK;
	cpu->kernel.head.count = count;
	cpu->kernel.head.hash = hash;
	u64 size = sizeof(struct ir_kernel_stack) + (u64)(count & 127) * sizeof(u64);

	if (!send(cpu, &cpu->kernel, size, false)) {
		ir_count(cpu, IR_STAT_LOST_STACK, 1);
		return hash;
	}
	*mark.place = mark.value;
	ir_count(cpu, IR_STAT_STACKS_SENT, 1);
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

/* Whether the entry's mappings are still where it says: a forked child's points into its parent's run. */
IR_INLINE bool has_its_run(const struct ir_walk *walk, const struct ir_process *process)
{
	const struct ir_mapping *slab = ir_mapping_slab(walk, process->slab);
	u32 head = (process->first - 1) & (IR_MAPPING_SLAB_SIZE - 1);

	return slab && slab[head].bias == process->run;
}

/* Looks up the process of the sample. */
IR_APART bool learn_process(struct ir_cpu *cpu, struct task_struct *task)
{
	u32 pid = cpu->walk.sample.pid;
	/* Before the entry is looked at: what is replaced after that has another. */
	u32 epoch = ir_live.processes_epoch;
	struct ir_process *process = bpf_map_lookup_elem(&ir_processes, &pid);
	struct mm_struct *mm = task->mm;

	cpu->known_process.pid = 0;
	ir_forget_mappings(&cpu->walk);
	if (!process || !mm)
		return false;
	cpu->walk.process = *process;
	process = &cpu->walk.process;
	if (process->start_stack && process->start_stack != mm->start_stack)
		return false;
	/* The entry may have become another's while it was copied. */
	if (!has_its_run(&cpu->walk, process) || ir_live.processes_epoch != epoch)
		return false;
	cpu->known_process.start_time_ns = cpu->walk.sample.start_time_ns;
	cpu->known_process.exec = task->self_exec_id;
	cpu->known_process.epoch = epoch;
	cpu->known_process.pid = pid;
	return true;
}

/*
 * The process entry of this address space. false if user space has not told us of it, or told us of an older exec. Two
 * samples in a row are mostly of one process: its entry and mappings then stay at hand.
 */
IR_INLINE bool find_process(struct ir_cpu *cpu, struct task_struct *task)
{
	const struct ir_known_process *known = &cpu->known_process;
	const struct ir_sample *sample = &cpu->walk.sample;

	if (known->pid == sample->pid && known->start_time_ns == sample->start_time_ns &&
	    known->exec == task->self_exec_id && known->epoch == ir_live.processes_epoch)
		return true;
	return learn_process(cpu, task);
}

/* Of a thread that executes another program, what its registers are of. */
enum exec_side { OLD_PROGRAM, NO_PROGRAM, NEW_PROGRAM };

IR_APART enum exec_side exec_side(const struct ir_walk *walk, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;

	/* The loader has put pc at the first instruction, and the stack where the program finds it. */
	if (mm && walk->registers.general[IR_ARCH_SP] == mm->start_stack)
		return NEW_PROGRAM;
	return ir_is_past_syscall(walk->registers.pc) ? OLD_PROGRAM : NO_PROGRAM;
}

/*
 * The registers of a thread that is in the kernel. false if it has no user side: it exits, or is past the point of no
 * return of an exec, and has left its stack behind for good.
 */
IR_APART bool enter_from_kernel(struct ir_walk *walk, struct task_struct *task)
{
	enum exec_side side = OLD_PROGRAM;
	u64 top;

	ir_saved_registers(task, &walk->registers);
	walk->valid = 0xffff | IR_MORE_REGISTERS;
	if (ir_executes(task))
		side = exec_side(walk, task);
	if (walk->registers.pc == 0 || side == NO_PROGRAM)
		return false;
	if (ir_is_in_syscall(task) && side == OLD_PROGRAM) {
		walk->sample.flags |= IR_SAMPLE_IN_SYSCALL;
		walk->return_address = 1;
	}
	return !(task->flags & PF_EXITING) || ir_read_user(&top, sizeof(top), walk->registers.general[IR_ARCH_SP]);
}

IR_APART int walk_user_stack(struct ir_walk *walk)
{
	struct walk_loop loop = { .walk = walk };

	bpf_loop(IR_MAX_STEPS, walk_step, &loop, 0);
	ir_walk_end(walk);
	return 0;
}

/* Takes the user stack into the walk, for sample and stack to be sent. false if the sample has none, or needs a copy. */
IR_INLINE bool take_user_stack(struct bpf_perf_event_data *ctx, struct ir_cpu *cpu, struct task_struct *task)
{
	struct ir_walk *walk = &cpu->walk;

	ir_walk_begin(walk, ir_config.hash_key);
	walk->epoch = ir_live.tables_epoch;
	walk->return_address = 0;
	if (!(walk->sample.flags & IR_SAMPLE_IN_KERNEL)) {
		ir_interrupted_registers(ctx, walk);
	} else if (!enter_from_kernel(walk, task)) {
		walk->sample.flags |= IR_SAMPLE_NO_USER_SIDE;
		return false;
	}
	if (!find_process(cpu, task))
		ir_walk_defer(walk, IR_STOP_NOT_READY);
	else if (walk->process.state & IR_PROCESS_COMPAT)
		ir_walk_stop(walk, IR_STOP_COMPAT);
	else
		walk_user_stack(walk);
	return true;
}

/* Sends the sample, and its user stack behind it unless that was sent in this window. */
IR_INLINE void send_sample(struct ir_cpu *cpu, bool has_stack)
{
	struct ir_walk *walk = &cpu->walk;
	struct mark mark = {};
	u64 size = sizeof(struct ir_sample);

	if (has_stack) {
		u64 hash = ir_stack_hash(walk, walk->sample.pid);
		u32 count = walk->count;

		ir_count(cpu, IR_STAT_USER_STACKS, 1);
		ir_count(cpu, IR_STAT_USER_FRAMES, count);
		walk->sample.user_stack = hash;
		if (is_new_stack(hash, &mark)) {
			if (count > IR_MAX_USER_FRAMES)
				count = IR_MAX_USER_FRAMES;
			walk->head.type = IR_RECORD_STACK;
			walk->head.count = count;
			walk->head.hash = hash;
			walk->head.stop_reason = walk->stop;
			walk->head.pid = walk->anonymous ? walk->sample.pid : 0;
			walk->sample.stack_bytes = sizeof(struct ir_stack) + count * sizeof(struct ir_frame);
			size += sizeof(struct ir_stack) + (u64)count * sizeof(struct ir_frame);
		} else {
			mark.place = 0;
		}
	}
	if (!send(cpu, &walk->sample, size, false)) {
		ir_count(cpu, IR_STAT_LOST_RING_FULL, 1);
	} else if (mark.place) {
		*mark.place = mark.value;
		ir_count(cpu, IR_STAT_STACKS_SENT, 1);
	}
}

IR_INLINE void fill_sample(struct ir_sample *sample, struct task_struct *task, u32 cpu)
{
	sample->type = IR_RECORD_SAMPLE;
	sample->flags = 0;
	sample->time_ns = bpf_ktime_get_ns();
	sample->user_stack = 0;
	sample->kernel_stack = 0;
	sample->start_time_ns = task->group_leader->start_boottime;
	sample->pid = task->tgid;
	sample->tid = task->pid;
	sample->cpu = cpu;
	sample->stack_bytes = 0;
	((u64 *)sample->comm)[0] = *(u64 *)&task->comm[0];
	((u64 *)sample->comm)[1] = *(u64 *)&task->comm[8];
}

SEC("perf_event")
int ir_on_cpu(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 index = bpf_get_smp_processor_id();
	struct ir_cpu *cpu = bpf_map_lookup_elem(&ir_cpus, &index);
	bool has_stack = false;

	/* There is an entry for each CPU. */
	if (!cpu || task->pid == 0)
		return 0;
	if (ir_live.attention) {
		if (ir_live.attention & IR_PAUSED)
			return 0;
		if (!passes_filter(task->tgid)) {
			ir_count(cpu, IR_STAT_FILTERED, 1);
			return 0;
		}
	}
	ir_count(cpu, IR_STAT_SAMPLES, 1);
	fill_sample(&cpu->walk.sample, task, index);
	if (!ir_in_user_mode(ctx)) {
		cpu->walk.sample.flags |= IR_SAMPLE_IN_KERNEL;
		cpu->walk.sample.kernel_stack = take_kernel_stack(ctx, cpu);
	}
	if (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)) {
		cpu->walk.sample.flags |= IR_SAMPLE_KERNEL_THREAD;
	} else {
		has_stack = take_user_stack(ctx, cpu, task);
		if (has_stack && cpu->walk.defer && send_deferred(cpu, task))
			return 0;
	}
	send_sample(cpu, has_stack);
	return 0;
}
