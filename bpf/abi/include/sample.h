/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of the ring buffer. Every record starts with its type. */
#pragma once

#include "process.h"

#define IR_MAX_USER_FRAMES   2048
#define IR_MAX_KERNEL_FRAMES 127
#define IR_COMM_LENGTH	     16
/* Of an environment at exec, what travels. */
#define IR_ENVIRONMENT_MAX  4096
/* User stack memory that travels with a sample that the kernel cannot unwind yet. */
#define IR_STACK_COPY_SHIFT 20
#define IR_STACK_COPY_MAX   (1u << IR_STACK_COPY_SHIFT)
#define IR_COPY_PAGE	    4096u
#define IR_COPY_PAGES	    (IR_STACK_COPY_MAX / IR_COPY_PAGE)

/* A bit for each page of a copy. */
#define IR_COPY_WORDS	    (IR_COPY_PAGES / 64)
_Static_assert((IR_COPY_WORDS & (IR_COPY_WORDS - 1)) == 0, "the words are masked");

enum ir_record_type {
	IR_RECORD_SAMPLE = 1,
	IR_RECORD_STACK = 2,
	IR_RECORD_KERNEL_STACK = 3,
	IR_RECORD_DEFERRED = 4,
	IR_RECORD_EXEC = 5,
};

enum ir_sample_flags {
	IR_SAMPLE_IN_KERNEL = 1,	/* the timer hit kernel code */
	IR_SAMPLE_KERNEL_THREAD = 2,	/* a kernel thread */
	IR_SAMPLE_IN_SYSCALL = 4,	/* the user pc is the return address of a system call */
	IR_SAMPLE_NO_USER_SIDE = 8,	/* the thread exits or execs: its user stack is gone */
};

/*
 * A sample. Equal stacks have equal hashes and are sent once per window; hash 0 means "no stack". A user stack that is sent
 * follows its sample in the same record: its struct ir_stack, then its frames.
 */
struct ir_sample {
	unsigned int type;		/* IR_RECORD_SAMPLE, or IR_RECORD_DEFERRED as the head of ir_deferred */
	unsigned int flags;		/* enum ir_sample_flags */
	unsigned long long time_ns;	/* CLOCK_MONOTONIC */
	unsigned long long user_stack;	/* hash of the user frames */
	unsigned long long kernel_stack;/* hash of the kernel frames */
	unsigned long long start_time_ns;/* of the process, CLOCK_BOOTTIME: tells reused pids apart */
	unsigned int pid;		/* thread group id in the initial namespace */
	unsigned int tid;
	unsigned int cpu;
	unsigned int stack_bytes;	/* of the user stack that follows; 0: none */
	char comm[IR_COMM_LENGTH];	/* of the thread */
};
_Static_assert(sizeof(struct ir_sample) == 72, "a sample is 72 bytes");

enum ir_frame_flags {
	IR_FRAME_RETURN_ADDRESS = 1,	/* the address is one past a call: look up address - 1 */
	IR_FRAME_LOW_CONFIDENCE = 2,	/* its caller was found without a table: by frame pointers, or by a search */
};

/* What a frame is of: the numbers after it are those of the runtimes. */
enum ir_frame_kind {
	/* The address is stated in an image, which is the space; without one it is a runtime address, and the position 0. */
	IR_FRAME_NATIVE = 0,
};

/*
 * In the place of a frame: its address below IR_FRAME_ADDRESS_BITS (the bits above repeat the last one, as the hardware wants
 * it), the kind (enum ir_frame_kind), and the flags (enum ir_frame_flags).
 */
#define IR_FRAME_ADDRESS_BITS 48
#define IR_FRAME_KIND_SHIFT   48
#define IR_FRAME_FLAGS_SHIFT  56

/* A user frame. */
struct ir_frame {
	unsigned long long place;
	unsigned int space;		/* image id or enum ir_image */
	unsigned int position;		/* within what is at the address, as its kind counts it */
};
_Static_assert(sizeof(struct ir_frame) == 16, "a frame is 16 bytes");

/* A user stack, leaf first: count frames follow. */
struct ir_stack {
	unsigned int type;		/* IR_RECORD_STACK */
	unsigned int count;
	unsigned long long hash;
	unsigned int stop_reason;	/* enum ir_stop_reason */
	unsigned int pid;		/* whose anonymous frames these are; 0 where all frames have images */
	/* struct ir_frame frames[count] */
};
_Static_assert(sizeof(struct ir_stack) == 24, "a stack's head is 24 bytes");

/* A kernel stack, leaf first: count runtime addresses follow. */
struct ir_kernel_stack {
	unsigned int type;		/* IR_RECORD_KERNEL_STACK */
	unsigned int count;
	unsigned long long hash;
	/* unsigned long long addresses[count] */
};
_Static_assert(sizeof(struct ir_kernel_stack) == 16, "a kernel stack's head is 16 bytes");

/* User registers by DWARF number (arm64: less 16, see unwind/arch/arm64/registers.h), then the program counter. */
struct ir_registers {
	unsigned long long general[16];
	unsigned long long pc;
	unsigned long long thread_pointer;
};
_Static_assert(sizeof(struct ir_registers) == 144, "registers are 144 bytes");

/* Return addresses that travel with a copy where uretprobes have replaced them. */
#define IR_RETURNS 8

/* A return address that a uretprobe has replaced by its trampoline's. */
struct ir_return {
	unsigned long long slot;	/* where it was, runtime address */
	unsigned long long address;
};
_Static_assert(sizeof(struct ir_return) == 16, "a replaced return address is 16 bytes");

/* Calls that travel with a copy. */
#define IR_CALLS 32

/* A return address on the stack: a call is before it. */
struct ir_noted_call {
	unsigned long long after;	/* the return address */
	unsigned long long call;	/* enum ir_call of unwind/walk.h */
};
_Static_assert(sizeof(struct ir_noted_call) == 16, "a noted call is 16 bytes");

/* All calls that a part of the stack tells of: a copy has no code beside it that could be asked. */
struct ir_calls {
	unsigned long long start;	/* runtime address */
	unsigned long long end;		/* runtime address, exclusive */
	unsigned long long frame;	/* bytes that the code at its start keeps for itself; 0: not known */
	unsigned long long count;
	struct ir_noted_call of[IR_CALLS];
};
_Static_assert(sizeof(struct ir_calls) == 544, "noted calls are 544 bytes");

/* Single pages that travel with a copy. */
#define IR_OTHER_PAGES 5

/*
 * A sample whose process or table the kernel does not know yet: registers and the top of the stack travel, and user space
 * unwinds with the same code once the tables are there. A signal handler that runs on a stack of its own has interrupted
 * another: the thread's own stack then travels too; and Go's system stack works for a goroutine, whose stack then does, and the
 * pages that tell of it. The pages follow: upwards from stack_address, the single ones, downwards from root_address; those that could not be read
 * are left out.
 */
struct ir_deferred {
	struct ir_sample sample;
	struct ir_registers registers;
	unsigned long long stack_address;	/* runtime address of the page of the stack pointer */
	unsigned long long stack_pages[IR_COPY_WORDS];	/* bit n: the page n pages above it follows */
	unsigned long long root_address;	/* runtime address of the end of the other stack */
	unsigned long long root_pages[IR_COPY_WORDS];	/* bit n: the page that ends n pages below it follows */
	unsigned long long other_pages[IR_OTHER_PAGES];	/* runtime addresses; 0: none */
	struct ir_page_key missing;		/* the page of a table that the walk lacked; image 0: another reason */
	struct ir_return returns[IR_RETURNS];	/* the innermost first; slot 0: no more */
	struct ir_calls calls;
};
_Static_assert(sizeof(struct ir_deferred) == 1016, "a deferred sample's head is 1016 bytes");

/*
 * What a process was given to execute with: it may be gone before its environment can be read. environment_bytes bytes
 * follow, entries that end with a NUL each; the last one may be cut.
 */
struct ir_exec {
	unsigned int type;		/* IR_RECORD_EXEC */
	unsigned int pid;
	unsigned long long time_ns;	/* CLOCK_MONOTONIC */
	unsigned int environment_bytes;
	unsigned int reserved;
};
_Static_assert(sizeof(struct ir_exec) == 24, "an exec's head is 24 bytes");
