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

/* Whether the thread is in a system call after which there may be no user side any more. */
IR_INLINE bool ir_leaves_address_space(struct task_struct *task)
{
	struct pt_regs___kernel *regs = (struct pt_regs___kernel *)bpf_task_pt_regs(task);

	return (task->flags & PF_EXITING) || regs->orig_ax == IR_NR_EXECVE || regs->orig_ax == IR_NR_EXECVEAT;
}

/*
 * The user registers: what was saved at the entry to the kernel, by interrupt or system call. rcx and r11 are lost to
 * the syscall instruction, which unwind rules never use at call sites. false if the thread has no user side.
 */
IR_INLINE bool ir_user_registers(struct task_struct *task, struct ir_registers *out, struct ir_sample *sample)
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
	out->thread_pointer = task->thread.fsbase;
	/* A system call's number is not negative; interrupts and exceptions store a negative number. */
	if ((sample->flags & IR_SAMPLE_IN_KERNEL) && (s64)regs->orig_ax >= 0)
		sample->flags |= IR_SAMPLE_IN_SYSCALL;
	return out->pc != 0;
}
