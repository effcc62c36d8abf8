/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a walk sees: tables, mappings and memory, each in an allocation of its own of exactly the size that the
 * kernel's map values have, so that the address sanitizer sees every access outside.
 */
#pragma once

#include <stddef.h>
#include "unwinder.h"

struct page_entry {
	struct ir_page_key key;
	struct ir_page page;
};

struct region {
	u64 address;
	u64 length;
	unsigned char *bytes;
};

#define MAX_SLABS   8
#define MAX_REGIONS 8

struct environment {
	struct ir_process process;
	struct ir_runtime_states states;
	struct ir_mapping *mappings;		/* IR_MAPPING_SLAB_SIZE */
	struct ir_row *slabs[MAX_SLABS];	/* IR_SLAB_ROWS each, or NULL */
	u32 n_slabs;
	u32 n_pages;
	u32 n_rules;
	u32 n_regions;
	struct page_entry *pages;		/* sorted by key */
	struct ir_rule *rules;
	struct region regions[MAX_REGIONS];
};

/* calloc that ends the process where there is no memory. */
void *allocate(size_t count, size_t size);

struct ir_host host_of(struct environment *environment);

/* Walks in the environment, and checks what holds for every walk. The result is to be freed. */
struct ir_walk *walk(struct environment *environment, const struct ir_registers *registers, u32 valid,
		     u32 return_address);

/*
 * Walks over `rounds` random environments; prints how many walks ended for each stop reason, and behind them how many steps
 * ir_step_plain did as ir_apply does them.
 */
void fuzz(u64 seed, u64 rounds);
