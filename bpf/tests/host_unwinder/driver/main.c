// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Reads records from standard input, each a 32-bit tag and its body, and answers every walk with a line:
 *   stop defer anonymous address:image:flags ...        (all but the first three hexadecimal)
 *
 *   1  environment  u32 mappings, slabs, pages, rules; ir_process; ir_runtime_states; the arrays; a slab is a u32 count and its rows
 *   2  walk         u32 valid, return_address, regions; ir_registers; a region is u64 address, length and its bytes
 *   3  fuzz         u64 seed, rounds
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "environment.h"

#define TIME_LIMIT_S 300

static void input(void *destination, size_t size)
{
	if (size && fread(destination, size, 1, stdin) != 1) {
		fprintf(stderr, "the input ends inside a record\n");
		exit(2);
	}
}

static void at_most(u32 count, u32 limit, const char *what)
{
	if (count > limit) {
		fprintf(stderr, "%u %s, %u at most\n", count, what, limit);
		exit(2);
	}
}

static void forget(struct environment *environment)
{
	free(environment->mappings);
	for (u32 i = 0; i < environment->n_slabs; i++)
		free(environment->slabs[i]);
	free(environment->pages);
	free(environment->rules);
	*environment = (struct environment){ 0 };
}

static void read_environment(struct environment *environment)
{
	u32 counts[4];

	forget(environment);
	input(counts, sizeof(counts));
	at_most(counts[0], IR_MAPPING_SLAB_SIZE, "mappings");
	at_most(counts[1], MAX_SLABS, "slabs");
	input(&environment->process, sizeof(environment->process));
	input(&environment->states, sizeof(environment->states));
	environment->mappings = allocate(IR_MAPPING_SLAB_SIZE, sizeof(struct ir_mapping));
	input(environment->mappings, counts[0] * sizeof(struct ir_mapping));
	environment->n_slabs = counts[1];
	for (u32 i = 0; i < counts[1]; i++) {
		u32 rows;

		input(&rows, sizeof(rows));
		at_most(rows, IR_SLAB_ROWS, "rows");
		environment->slabs[i] = allocate(IR_SLAB_ROWS, sizeof(struct ir_row));
		input(environment->slabs[i], rows * sizeof(struct ir_row));
	}
	environment->n_pages = counts[2];
	environment->pages = allocate(counts[2], sizeof(struct page_entry));
	input(environment->pages, counts[2] * sizeof(struct page_entry));
	environment->n_rules = counts[3];
	environment->rules = allocate(counts[3], sizeof(struct ir_rule));
	input(environment->rules, counts[3] * sizeof(struct ir_rule));
}

static void print_walk(const struct ir_walk *walk)
{
	printf("%u %u %u", walk->stop, walk->defer, walk->anonymous);
	for (u32 i = 0; i < walk->count; i++)
		printf(" %llx:%x:%x", walk->frames[i].place, walk->frames[i].space, walk->frames[i].position);
	putchar('\n');
}

static void read_walk(struct environment *environment)
{
	u32 heads[3];
	struct ir_registers registers;
	struct ir_walk *result;

	input(heads, sizeof(heads));
	input(&registers, sizeof(registers));
	at_most(heads[2], MAX_REGIONS, "regions");
	environment->n_regions = heads[2];
	for (u32 i = 0; i < heads[2]; i++) {
		struct region *region = &environment->regions[i];

		input(&region->address, sizeof(u64));
		input(&region->length, sizeof(u64));
		region->bytes = allocate(region->length, 1);
		input(region->bytes, region->length);
	}
	result = walk(environment, &registers, heads[0], heads[1]);
	print_walk(result);
	free(result);
	for (u32 i = 0; i < heads[2]; i++)
		free(environment->regions[i].bytes);
	environment->n_regions = 0;
}

int main(void)
{
	struct environment environment = { 0 };
	u32 tag;
	u64 numbers[2];

	alarm(TIME_LIMIT_S);
	while (fread(&tag, sizeof(tag), 1, stdin) == 1) {
		switch (tag) {
		case 1:
			read_environment(&environment);
			break;
		case 2:
			read_walk(&environment);
			break;
		case 3:
			input(numbers, sizeof(numbers));
			fuzz(numbers[0], numbers[1]);
			break;
		default:
			fprintf(stderr, "no record has tag %u\n", tag);
			return 2;
		}
	}
	forget(&environment);
	return 0;
}
