/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kernel side knows of a process: its executable mappings. What it knows of its runtimes is apart: runtimes.h. */
#pragma once

/*
 * Mappings live in slabs like rows do: one map value each. A process has a contiguous run of them; the entry before the
 * first is the run's head, whose bias is the run's number. A run that was given to somebody else has another number: an
 * entry that still points there, as those of forked children may, is not believed.
 */
#define IR_MAPPING_SLAB_SHIFT 13
#define IR_MAPPING_SLAB_SIZE  (1u << IR_MAPPING_SLAB_SHIFT)

/* Image ids: the agent numbers executables by build id. */
enum ir_image {
	IR_IMAGE_NONE = 0,	/* no file: anonymous executable memory */
	IR_IMAGE_PENDING = 1,	/* the agent is still reading the file */
	IR_IMAGE_UNREADABLE = 2,/* the agent could not read the file, or it holds no unwind information */
	IR_IMAGE_FIRST = 16,
};

/* An executable mapping, sorted by start within its process. */
struct ir_mapping {
	unsigned long long start;	/* runtime address */
	unsigned long long end;		/* runtime address, exclusive */
	unsigned long long bias;	/* runtime address - stated address, modulo 2^64 */
	unsigned int image;		/* image id, or enum ir_image */
	unsigned int reserved;
};
_Static_assert(sizeof(struct ir_mapping) == 32, "a mapping is 32 bytes");

enum ir_process_state {
	IR_PROCESS_KNOWN = 1,		/* mappings are complete: what is not in them is not executable */
	IR_PROCESS_COMPAT = 2,		/* 32-bit: not unwound */
	IR_PROCESS_IGNORED = 4,		/* filtered out by the user */
	IR_PROCESS_SELF = 8,		/* the profiler itself */
	/* A return address outside all mappings is one: user space has looked, and knows no better until they change. */
	IR_PROCESS_SETTLED = 16,
	/* A runtime of it makes code at run time, of which its state tells: runtimes.h. */
	IR_PROCESS_MAKES_CODE = 32,
};

struct ir_process {
	unsigned int state;		/* enum ir_process_state */
	unsigned int slab;		/* mapping slab */
	unsigned int first;		/* index of the first mapping in the slab, at least 1 */
	unsigned int count;		/* number of mappings */
	/* mm->start_stack when the mappings were read: another exec, or a reused pid, has another. 0 = not known. */
	unsigned long long start_stack;
	unsigned long long run;		/* number of the run that the mappings are in; never 0 in the kernel */
};
_Static_assert(sizeof(struct ir_process) == 32, "a process is 32 bytes");

/* Key and value of the page index: where the rows of a 64 KiB page of an image are. A page that is not there is asked for. */
struct ir_page_key {
	unsigned int image;
	unsigned int page;		/* stated address >> IR_PAGE_SHIFT */
};

struct ir_page {
	unsigned int slab;
	unsigned int first;
	unsigned int count;
	unsigned int last_used;		/* epoch of the tables in which it was last looked up, for eviction */
};
_Static_assert(sizeof(struct ir_page) == 16, "a page entry is 16 bytes");
