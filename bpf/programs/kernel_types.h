/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The few kernel types that the programs read, each with just the fields they use. libbpf relocates every access to
 * the running kernel's layout (CO-RE), so no generated copy of the kernel's types is needed.
 */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct {
	unsigned long start_stack;
	unsigned long env_start;
	unsigned long env_end;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

/* A return address that a uretprobe has replaced by its trampoline (include/linux/uprobes.h). */
struct return_instance {
	unsigned long stack;		/* where it was, as the user's stack pointer at the function's entry */
	unsigned long orig_ret_vaddr;
	struct return_instance *next;	/* of a caller */
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct thread_struct {
#if defined(__TARGET_ARCH_x86)
	unsigned long fsbase;
#elif defined(__TARGET_ARCH_arm64)
	struct {
		unsigned long tp_value;
	} uw;
#endif
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	char comm[16];
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	unsigned long long start_boottime;
	unsigned long long self_exec_id;
	struct uprobe_task *utask;
	unsigned long sas_ss_sp;
	unsigned long sas_ss_size;
	struct thread_struct thread;
};

/* The suffix is dropped when libbpf looks the type up: user space headers have a pt_regs with other names. */
struct pt_regs___kernel {
#if defined(__TARGET_ARCH_x86)
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
	unsigned long sp;
#elif defined(__TARGET_ARCH_arm64)
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
	int syscallno;
#endif
};

#pragma clang attribute pop

/* task_struct.flags, include/linux/sched.h */
#define PF_EXITING     0x00000004
#define PF_KTHREAD     0x00200000
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000
