/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How arm64 keeps the user registers of a thread that is in the kernel. Kernel build only. Never run so far. */
#pragma once

#include "registers.h"

/* The mode field of the saved program state is 0 for EL0 (asm/ptrace.h, PSR_MODE_EL0t). */
#define IR_ARM64_MODE_MASK 0xf

IR_INLINE bool ir_in_user_mode(struct bpf_perf_event_data *ctx)
{
	return (ctx->regs.pstate & IR_ARM64_MODE_MASK) == 0;
}

/* System calls that replace the address space: asm-generic/unistd.h */
#define IR_NR_EXECVE   221
#define IR_NR_EXECVEAT 281

IR_INLINE bool ir_executes(struct task_struct *task)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	return regs->syscallno == IR_NR_EXECVE || regs->syscallno == IR_NR_EXECVEAT;
}

/* svc #0 */
#define IR_SYSCALL 0xd4000001

/* Whether the instruction before a user pc is a system call, in the address space as it is now. */
IR_INLINE bool ir_is_past_syscall(u64 pc)
{
	unsigned int before = 0;

	return !bpf_probe_read_user(&before, sizeof(before), (const void *)(pc - sizeof(before))) && before == IR_SYSCALL;
}

/* The registers of a thread that was interrupted in user mode. */
IR_INLINE void ir_interrupted_registers(struct bpf_perf_event_data *ctx, struct ir_walk *walk)
{
	walk->registers.general[0] = ctx->regs.regs[16];
	walk->registers.general[1] = ctx->regs.regs[17];
	walk->registers.general[2] = ctx->regs.regs[18];
	walk->registers.general[3] = ctx->regs.regs[19];
	walk->registers.general[4] = ctx->regs.regs[20];
	walk->registers.general[5] = ctx->regs.regs[21];
	walk->registers.general[6] = ctx->regs.regs[22];
	walk->registers.general[7] = ctx->regs.regs[23];
	walk->registers.general[8] = ctx->regs.regs[24];
	walk->registers.general[9] = ctx->regs.regs[25];
	walk->registers.general[10] = ctx->regs.regs[26];
	walk->registers.general[11] = ctx->regs.regs[27];
	walk->registers.general[12] = ctx->regs.regs[28];
	walk->registers.general[IR_FP] = ctx->regs.regs[29];
	walk->registers.general[IR_LR] = ctx->regs.regs[30];
	walk->registers.general[IR_SP] = ctx->regs.sp;
	walk->registers.pc = ctx->regs.pc;
	walk->valid = 0xffff;
}

IR_INLINE u64 ir_arch_thread_pointer(struct task_struct *task)
{
	return task->thread.uw.tp_value;
}

/* All user registers: what was saved at the entry to the kernel. */
IR_INLINE void ir_saved_registers(struct task_struct *task, struct ir_registers *out)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	out->general[0] = regs->regs[16];
	out->general[1] = regs->regs[17];
	out->general[2] = regs->regs[18];
	out->general[3] = regs->regs[19];
	out->general[4] = regs->regs[20];
	out->general[5] = regs->regs[21];
	out->general[6] = regs->regs[22];
	out->general[7] = regs->regs[23];
	out->general[8] = regs->regs[24];
	out->general[9] = regs->regs[25];
	out->general[10] = regs->regs[26];
	out->general[11] = regs->regs[27];
	out->general[12] = regs->regs[28];
	out->general[IR_FP] = regs->regs[29];
	out->general[IR_LR] = regs->regs[30];
	out->general[IR_SP] = regs->sp;
	out->pc = regs->pc;
	out->thread_pointer = ir_arch_thread_pointer(task);
}

/* Whether a thread in the kernel came by a system call: -1 is none (asm/ptrace.h, NO_SYSCALL). */
IR_INLINE bool ir_is_in_syscall(struct task_struct *task)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	return regs->syscallno >= 0;
}
