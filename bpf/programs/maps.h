/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps that programs and user space share. User space sizes those marked (sized) before loading. */
#pragma once

#include "abi.h"
#include "walk.h"

struct ir_row_slab {
	struct ir_row rows[IR_SLAB_ROWS];
};

struct ir_mapping_slab {
	struct ir_mapping mappings[IR_MAPPING_SLAB_SIZE];
};

/* Sizes, not types: clang leaves no full type information for what only an inner map names. */
struct ir_row_slab_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ir_row_slab));
};

struct ir_mapping_slab_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ir_mapping_slab));
};

/* Unwind rows, allocated a slab at a time as executables appear. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 512);
	__type(key, u32);
	__array(values, struct ir_row_slab_map);
} ir_row_slabs SEC(".maps");

/* Executable mappings of processes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 64);
	__type(key, u32);
	__array(values, struct ir_mapping_slab_map);
} ir_mapping_slabs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IR_MAX_RULES);
	__type(key, u32);
	__type(value, struct ir_rule);
} ir_rules SEC(".maps");

/* Preallocated, as are all hashes here: perf_event programs of kernels before 6.1 may use no other kind. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ir_page_key);
	__type(value, struct ir_page);
} ir_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct ir_process);
} ir_processes SEC(".maps");

/* Of processes that have a runtime. As many as there are processes, so that it has room for each that has an entry there. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct ir_runtime_states);
} ir_runtime_states SEC(".maps");

/* Narrowing to process or cgroup ids, used when ir_filter says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u32);
} ir_filter_pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} ir_filter_cgroups SEC(".maps");

#define IR_SENT_STACKS 65536

/*
 * Stacks already sent: where a stack's hash leads, the hash and the window of the last one sent, mixed. A stack that
 * another one has displaced is sent again, which user space is prepared for.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IR_SENT_STACKS);
	__type(key, u32);
	__type(value, u64);
} ir_sent_stacks SEC(".maps");

/* (sized) Records for user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} ir_records SEC(".maps");

struct ir_counters {
	u64 of[IR_STAT_COUNT];
};

/* Whose process entry a CPU has at hand. */
struct ir_known_process {
	u64 start_time_ns;	/* tells reused pids apart */
	u64 exec;		/* tells apart what one process executes, one after the other */
	u32 pid;		/* 0: none */
	u32 epoch;
};

/*
 * What one CPU works with. Larger than a per-CPU map's value may be, so an array with an entry a CPU. What every sample
 * touches lies together, from the counters to the first frames.
 */
struct ir_cpu {
	struct ir_counters counters;
	struct ir_known_process known_process;
	u64 quiet_bytes;	/* sent since user space was last woken */
	u64 copies_second;	/* of the last copy of a stack */
	u64 copies;		/* in it */
	struct ir_walk walk;
	struct ir_known_rules known;
	struct {
		struct ir_kernel_stack head;
		u64 addresses[IR_MAX_KERNEL_FRAMES + 1];
	} kernel;
};

/* (sized) User space reads the counters where they are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ir_cpu);
} ir_cpus SEC(".maps");

/* A sample on its way to user space with a copy of the stack. */
struct ir_copy {
	u64 is_taken;		/* 1: a CPU fills it */
	u64 pages;		/* in the present copy; here, as the verifier would follow every number that it might be */
	struct ir_deferred head;
	unsigned char stack[IR_STACK_COPY_MAX];
};

/* CPUs that copy at the same time at most: a copy takes some microseconds. */
#define IR_COPIES 8

/* (sized) A pool: an entry a CPU, or IR_COPIES. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ir_copy);
} ir_copies SEC(".maps");

IR_INLINE void ir_count(struct ir_cpu *cpu, enum ir_stat stat, u64 amount)
{
	cpu->counters.of[stat] += amount;
}
