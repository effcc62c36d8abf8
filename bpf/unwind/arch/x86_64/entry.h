/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How x86_64 keeps the user registers of a thread that is in the kernel. Kernel build only. */
#pragma once

#include "registers.h"

#define IR_USER32_CS 0x23

/* The requested privilege level of the code segment tells user code from kernel code. */
IR_INLINE bool ir_in_user_mode(struct bpf_perf_event_data *ctx)
{
	return (ctx->regs.cs & 3) == 3;
}

/* System calls that replace the address space: asm/unistd_64.h */
#define IR_NR_EXECVE   59
#define IR_NR_EXECVEAT 322

IR_INLINE bool ir_executes(struct task_struct *task)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	return regs->orig_ax == IR_NR_EXECVE || regs->orig_ax == IR_NR_EXECVEAT;
}

#define IR_SYSCALL 0x050f

/* Whether the instruction before a user pc is a system call, in the address space as it is now. */
IR_INLINE bool ir_is_past_syscall(u64 pc)
{
	unsigned short before = 0;

	return !bpf_probe_read_user(&before, sizeof(before), (const void *)(pc - sizeof(before))) && before == IR_SYSCALL;
}

/* The first registers of a thread that was interrupted in user mode: those that rules are mostly about. */
IR_INLINE void ir_interrupted_registers(struct bpf_perf_event_data *ctx, struct ir_walk *walk)
{
	walk->registers.pc = ctx->regs.rip;
	walk->registers.general[IR_RSP] = ctx->regs.rsp;
	walk->registers.general[IR_RBP] = ctx->regs.rbp;
	walk->registers.general[IR_RBX] = ctx->regs.rbx;
	walk->valid = (1u << IR_RSP) | (1u << IR_RBP) | (1u << IR_RBX) | IR_MORE_REGISTERS;
}

IR_INLINE u64 ir_arch_thread_pointer(struct task_struct *task)
{
	return task->thread.fsbase;
}

/*
 * All user registers: what was saved at the entry to the kernel, by interrupt or system call. rcx and r11 are lost to the
 * syscall instruction, which unwind rules never use at call sites.
 */
IR_INLINE void ir_saved_registers(struct task_struct *task, struct ir_registers *out)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	out->general[IR_RAX] = regs->ax;
	out->general[IR_RDX] = regs->dx;
	out->general[IR_RCX] = regs->cx;
	out->general[IR_RBX] = regs->bx;
	out->general[IR_RSI] = regs->si;
	out->general[IR_RDI] = regs->di;
	out->general[IR_RBP] = regs->bp;
	out->general[IR_RSP] = regs->sp;
	out->general[IR_R8] = regs->r8;
	out->general[IR_R9] = regs->r9;
	out->general[IR_R10] = regs->r10;
	out->general[IR_R11] = regs->r11;
	out->general[IR_R12] = regs->r12;
	out->general[IR_R13] = regs->r13;
	out->general[IR_R14] = regs->r14;
	out->general[IR_R15] = regs->r15;
	out->pc = regs->ip;
	out->thread_pointer = ir_arch_thread_pointer(task);
}

/* Whether a thread in the kernel came by a system call. Its number is not negative, as that of interrupts is. */
IR_INLINE bool ir_is_in_syscall(struct task_struct *task)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	return (s64)regs->orig_ax >= 0;
}
