// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Random environments: half of every choice is plausible, so that walks get far, and half is anything at all. Counts,
 * indexes and bounds lie; the same seed gives the same walks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "step.h"

#define IMAGES	    3
#define PAGES	    4
#define RULES	    64
#define MAPPINGS    16
#define STACK_BASE  0x7ffc00000000ULL
#define STACK_BYTES 16384
#define CODE_BASE   0x550000000000ULL
#define WALKS	    64	/* for each environment */

static u64 state;

static u64 any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL;
}

static u64 below(u64 limit)
{
	return any() % limit;
}

static u64 code_address(void)
{
	return CODE_BASE + below(MAPPINGS) * 0x40000 + below(below(16) ? 0x30000 : 0x50000);
}

static u64 stack_address(void)
{
	return STACK_BASE + below(STACK_BYTES / 8) * 8 + (below(64) == 0);
}

static u64 word(void)
{
	switch (below(8)) {
	case 0 ... 3:
		return code_address();
	case 4 ... 5:
		return stack_address();
	case 6:
		return below(3);
	default:
		return any();
	}
}

static s16 slot(void)
{
	switch (below(6)) {
	case 0 ... 2:
		return (s16)-(s16)below(12);
	case 3:
		return (s16)(IR_SLOT_RBP_ZERO + (s32)below(8) - 4);
	case 4:
		return IR_SLOT_SAME;
	default:
		return (s16)any();
	}
}

/* What a runtime makes of a rule, be it known or not. */
static struct ir_rule of_runtime(struct ir_rule rule)
{
	static const u32 known[] = { IR_RUNTIME_GO, IR_RUNTIME_PYTHON, IR_RUNTIME_V8 };
	u32 number = below(4) ? known[below(3)] : (u32)below(16);

	rule.kind = (u8)(IR_RULE_OF_RUNTIME | (below(2) ? IR_RULE_NONE : rule.kind));
	rule.cfa_reg = (u8)(number << IR_RULE_RUNTIME_SHIFT | (rule.cfa_reg & 15));
	if (below(8))
		rule.cfa_offset = (s32)below(IR_GO_MORESTACK + 1);
	return rule;
}

static struct ir_rule rule(void)
{
	static const u8 common[] = { IR_RULE_OFFSET, IR_RULE_OFFSET, IR_RULE_OFFSET, IR_RULE_DEREF,
				     IR_RULE_PLT,    IR_RULE_SIGNAL, IR_RULE_FRAME_POINTER, IR_RULE_GUESS };
	struct ir_rule rule = {
		.kind = below(16) ? common[below(sizeof(common))] : (u8)below(16),
		.cfa_reg = below(4) ? (below(2) ? 7 : 6) : (u8)any(),
		.fp_slot = below(2) ? IR_SLOT_SAME : slot(),
		.rbx_slot = slot(),
		.ra_slot = below(8) ? -1 : slot(),
		.cfa_offset = below(16) ? (s32)(8 + below(8) * 8) : (s32)any(),
		.cfa_offset2 = below(2) ? (s32)below(16) : (s32)any(),
	};

	return below(16) ? rule : of_runtime(rule);
}

static void make_rows(struct environment *environment)
{
	for (u32 s = 0; s < environment->n_slabs; s++) {
		u32 low = 0;

		for (u32 i = 0; i < 4096; i++) {
			low = below(256) ? low + (u32)below(64) : 0;
			environment->slabs[s][i].address_low = (u16)low;
			environment->slabs[s][i].rule = (u16)below(below(64) ? RULES : 65536);
		}
	}
	for (u32 i = 0; i < environment->n_pages; i++) {
		struct page_entry *entry = &environment->pages[i];

		entry->key.image = IR_IMAGE_FIRST + i / PAGES;
		entry->key.page = i % PAGES;
		entry->page.slab = (u32)(below(32) ? below(environment->n_slabs) : any());
		entry->page.first = (u32)(below(8) ? below(2048) : any());
		entry->page.count = (u32)(below(8) ? below(4096) : any());
	}
}

/* A virtual machine whose code and its map lie anywhere that can be read, or not. */
static void make_machine(struct environment *environment)
{
	struct ir_hotspot_state *jvm = &environment->states.hot_spot;

	for (u32 i = 0; i < IR_HOTSPOT_HEAPS; i++) {
		jvm->heaps.start[i] = below(2) ? CODE_BASE + below(64) * 4096 : STACK_BASE;
		jvm->heaps.bytes[i] = (u32)(below(8) ? below(1 << 20) : any());
		jvm->heaps.segments[i] = below(8) ? STACK_BASE + below(2048) : any();
	}
	jvm->call_stub = CODE_BASE + below(1 << 20);
	jvm->continuation = below(2) ? CODE_BASE + below(1 << 20) : 0;
	jvm->present = below(2);
	jvm->segment_shift = below(8) ? (u8)below(10) : (u8)any();
	jvm->block_header = (u8)below(32);
	jvm->name = (u16)below(128);
	jvm->frame_words = (u16)below(128);
	jvm->frame_complete = (u16)below(128);
	jvm->code = (u16)below(128);
	jvm->compile_id = (u16)below(512);
	jvm->const_method = (u16)below(64);
	jvm->code_size = (u16)below(64);
	jvm->bytecodes = (u16)below(64);
	jvm->bytecode_is_higher = below(2);
	if (below(4))
		environment->process.state |= IR_PROCESS_MAKES_CODE;
}

/* An engine whose objects are on the stack, as all that can be read is. */
static void make_engine(struct environment *environment)
{
	environment->states.v8 = (struct ir_v8_state){
		.present = below(2),
		.shared = (u16)below(64),
		.script = (u16)below(64),
		.literal = (u16)below(64),
		.script_id = (u16)below(64),
		.instance_type = (u16)below(64),
		.script_type = below(4) ? (u16)(STACK_BASE >> 32) : (u16)below(3),
		.bytecodes = (u16)any(),
	};
}

static void make_mappings(struct environment *environment)
{
	for (u32 i = 0; i < MAPPINGS; i++) {
		struct ir_mapping *mapping = &environment->mappings[i];

		mapping->start = below(32) ? CODE_BASE + i * 0x40000ULL : any();
		mapping->end = below(32) ? mapping->start + 0x30000 : any();
		mapping->bias = below(32) ? mapping->start : any();
		mapping->image = below(16) ? (u32)(IR_IMAGE_FIRST + below(IMAGES)) : (u32)below(IR_IMAGE_FIRST);
	}
	environment->process.state = IR_PROCESS_KNOWN;
	environment->process.slab = (u32)any();
	environment->process.first = below(8) ? 0 : (u32)any();
	environment->process.count = below(8) ? MAPPINGS : (u32)any();
	environment->states.go = (struct ir_go_state){
		.g_tls_offset = (s32)below(64) - 32,
		.g_m = (u16)below(128),
		.m_curg = (u16)below(128),
		.g_sched_sp = (u16)any(),
		.g_sched_pc = (u16)below(128),
		.g_sched_bp = (u16)below(128),
		.present = below(2),
	};
	environment->states.python = (struct ir_python_state){
		.key = STACK_BASE + below(64) * 8,
		.run = (u16)below(4),
		.position_kind = (u16)below(4),
		.first_frame = (u16)below(128),
		.through = below(2) ? IR_PYTHON_NONE : (u16)below(128),
		.previous = (u16)below(128),
		.code = (u16)below(128),
		.position = (u16)below(128),
		.mark = (u16)below(128),
		.instructions = (u16)any(),
		.first_line = (u16)below(256),
		.version = below(2) ? IR_PYTHON_NONE : (u16)below(256),
		.file = (u16)below(256),
		.name = (u16)below(256),
		.present = below(2),
	};
	make_machine(environment);
	make_engine(environment);
}

static bool is_same_frame(const struct ir_walk *a, const struct ir_walk *b)
{
	bool same = !a->done && !b->done && a->valid == b->valid && a->registers.pc == b->registers.pc &&
		    a->return_address == b->return_address;

	for (u32 i = 0; i < IR_REGISTERS; i++)
		if ((a->valid >> i) & 1)
			same = same && a->registers.general[i] == b->registers.general[i];
	return same;
}

/* ir_step_plain does what ir_apply does, or leaves it to that one. Returns whether it did. */
static bool compare_steps(struct environment *environment, const struct ir_registers *registers, u32 valid)
{
	struct ir_walk *plain = allocate(1, sizeof(*plain)), *whole = allocate(1, sizeof(*whole));
	struct ir_host host = host_of(environment);
	struct ir_rule taken = rule();
	bool is_plain;

	ir_current_host = &host;
	plain->registers = whole->registers = *registers;
	plain->valid = whole->valid = valid & 0xffff;
	is_plain = ir_step_plain(plain, &taken);
	if (is_plain) {
		whole->held = taken;
		ir_apply(whole);
		if (!is_same_frame(plain, whole)) {
			fprintf(stderr, "the plain step and the whole one differ\n");
			abort();
		}
	}
	ir_current_host = 0;
	free(plain);
	free(whole);
	return is_plain;
}

static void fuzz_once(struct environment *environment, u64 *ends)
{
	struct ir_registers registers;
	struct ir_walk *result;

	for (u32 i = 0; i < STACK_BYTES / 8; i++)
		((u64 *)environment->regions[0].bytes)[i] = word();
	for (u32 i = 0; i < 16; i++)
		registers.general[i] = word();
	if (below(16)) {
		registers.general[7] = STACK_BASE + below(STACK_BYTES / 16) * 8;
		registers.general[6] = registers.general[7] + below(32) * 8;
	}
	registers.pc = below(32) ? code_address() : any();
	registers.thread_pointer = stack_address();
	ends[IR_STOP_COUNT] += compare_steps(environment, &registers, below(4) ? 0xffff : (u32)any());
	result = walk(environment, &registers, below(4) ? 0xffff : (u32)any(), (u32)below(2));
	ends[result->stop]++;
	free(result);
}

void fuzz(u64 seed, u64 rounds)
{
	u64 ends[IR_STOP_COUNT + 1] = { 0 };
	struct environment environment = { .n_slabs = 2, .n_pages = IMAGES * PAGES, .n_rules = RULES, .n_regions = 1 };

	state = seed | 1;
	environment.mappings = allocate(IR_MAPPING_SLAB_SIZE, sizeof(struct ir_mapping));
	for (u32 s = 0; s < environment.n_slabs; s++)
		environment.slabs[s] = allocate(IR_SLAB_ROWS, sizeof(struct ir_row));
	environment.pages = allocate(environment.n_pages, sizeof(struct page_entry));
	environment.rules = allocate(RULES, sizeof(struct ir_rule));
	environment.regions[0] = (struct region){ STACK_BASE, STACK_BYTES, allocate(STACK_BYTES, 1) };
	for (u64 round = 0; round < rounds; round++) {
		for (u32 i = 0; i < RULES; i++)
			environment.rules[i] = rule();
		make_rows(&environment);
		make_mappings(&environment);
		for (u32 i = 0; i < WALKS; i++)
			fuzz_once(&environment, ends);
	}
	for (u32 reason = 0; reason <= IR_STOP_COUNT; reason++)
		printf("%u %llu\n", reason, ends[reason]);
	free(environment.mappings);
	for (u32 s = 0; s < environment.n_slabs; s++)
		free(environment.slabs[s]);
	free(environment.pages);
	free(environment.rules);
	free(environment.regions[0].bytes);
}
