// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The unwinder's callbacks over an environment. */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		abort();
	return memory;
}

static bool read_memory(void *context, void *destination, u32 size, u64 address)
{
	struct environment *environment = context;

	for (u32 i = 0; i < environment->n_regions; i++) {
		struct region *region = &environment->regions[i];
		u64 offset = address - region->address;

		if (address >= region->address && offset <= region->length && size <= region->length - offset) {
			memcpy(destination, region->bytes + offset, size);
			return true;
		}
	}
	return false;
}

static const struct ir_row *row_slab(void *context, u32 slab)
{
	struct environment *environment = context;

	return slab < environment->n_slabs ? environment->slabs[slab] : NULL;
}

static int compare(const void *left, const void *right)
{
	const struct ir_page_key *a = left, *b = right;

	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	return (a->page > b->page) - (a->page < b->page);
}

static bool find_page(void *context, const struct ir_page_key *key, struct ir_page *page)
{
	struct environment *environment = context;
	struct page_entry *found =
		bsearch(key, environment->pages, environment->n_pages, sizeof(*environment->pages), compare);

	if (found)
		*page = found->page;
	return found;
}

static bool find_rule(void *context, u32 index, struct ir_rule *rule)
{
	struct environment *environment = context;

	if (index >= environment->n_rules)
		return false;
	*rule = environment->rules[index];
	return true;
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "a walk broke its promise: %s\n", what);
	abort();
}

struct ir_host host_of(struct environment *environment)
{
	return (struct ir_host){
		.context = environment,
		.read = read_memory,
		.row_slab = row_slab,
		.page = find_page,
		.rule = find_rule,
		.mappings = environment->mappings,
		.states = &environment->states,
	};
}

struct ir_walk *walk(struct environment *environment, const struct ir_registers *registers, u32 valid,
		     u32 return_address)
{
	struct ir_walk *walk = allocate(1, sizeof(*walk));
	struct ir_host host = host_of(environment);

	walk->registers = *registers;
	walk->valid = valid;
	walk->return_address = return_address;
	walk->process = environment->process;
	ir_host_unwind(&host, walk);
	require(walk->count <= IR_MAX_USER_FRAMES, "at most IR_MAX_USER_FRAMES frames");
	require(walk->stop < IR_STOP_COUNT, "a stop reason of the list");
	require(walk->done, "a reason to stop");
	require(!walk->defer || walk->stop == IR_STOP_NO_MAPPING || walk->stop == IR_STOP_NO_TABLE,
		"deferred for what can be loaded");
	return walk;
}
