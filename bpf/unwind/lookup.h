/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a program counter to its mapping, and from there to its unwind rule. Both searches are branch-free binary
 * searches inside one map value: step by falling powers of two to the last entry whose key is <= the wanted one. No
 * branch depends on the data, so the verifier follows one path.
 */
#pragma once

#include "platform.h"
#include "walk.h"

/* All ones if value is negative, else zero. Opaque on both sides: clang would make a branch of it. */
IR_INLINE u64 ir_sign_mask(s64 value)
{
	IR_OPAQUE(value);
	value >>= 63;
	IR_OPAQUE(value);
	return (u64)value;
}

/* All ones if index < count and key <= wanted, else zero. All four must be below 2^63: user space sees to it. */
IR_INLINE u64 ir_at_or_below(u64 index, u64 count, u64 key, u64 wanted)
{
	return ir_sign_mask((s64)(index - count)) & ~ir_sign_mask((s64)(wanted - key));
}

/*
 * The searches are loops that stay loops: between two samples the program has the instruction cache to itself, and
 * unrolled code is fetched anew line by line.
 */
#ifdef __clang__
#define IR_KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define IR_KEEP_LOOP
#endif
#define IR_FOR_STEPS(step, from, to) IR_KEEP_LOOP for (u64 step = (from); step >= (to); step >>= 1)

IR_INLINE u64 ir_mapping_step(const struct ir_mapping *slab, u64 first, u64 count, u64 found, u64 step, u64 pc)
{
	u64 next = found + step;
	u64 slot = (first + next) & (IR_MAPPING_SLAB_SIZE - 1);

	return found + (ir_at_or_below(next, count, slab[slot].start, pc) & step);
}

IR_INLINE bool ir_is_in(const struct ir_mapping *mapping, u64 pc)
{
	return pc >= mapping->start && pc < mapping->end;
}

/* Finds the mapping of pc among all of the process. */
IR_APART bool ir_search_mapping(struct ir_walk *walk, u64 pc)
{
	const struct ir_mapping *slab = ir_mapping_slab(walk, walk->process.slab);
	u64 first = walk->process.first, count = walk->process.count, found = 0;

	if (!slab || count == 0 || (s64)pc < 0)
		return false;
	if (count > 64) {
		IR_FOR_STEPS(step, 4096, 64)
			found = ir_mapping_step(slab, first, count, found, step, pc);
	}
	IR_FOR_STEPS(step, 32, 1)
		found = ir_mapping_step(slab, first, count, found, step, pc);

	const struct ir_mapping *mapping = &slab[(first + found) & (IR_MAPPING_SLAB_SIZE - 1)];

	if (!ir_is_in(mapping, pc))
		return false;
	walk->mapping = *mapping;
	walk->recent[walk->recent_next++ & (IR_RECENT_MAPPINGS - 1)] = *mapping;
	return true;
}

/* Finds the mapping of pc into walk->mapping. false if pc is in no executable mapping. */
IR_INLINE bool ir_find_mapping(struct ir_walk *walk, u64 pc)
{
	if (ir_is_in(&walk->mapping, pc))
		return true;
	IR_KEEP_LOOP for (u32 i = 0; i < IR_RECENT_MAPPINGS; i++) {
		if (ir_is_in(&walk->recent[i], pc)) {
			walk->mapping = walk->recent[i];
			return true;
		}
	}
	return ir_search_mapping(walk, pc);
}
_Static_assert(IR_MAPPING_SLAB_SIZE == 8192, "the steps cover a slab");

IR_INLINE u64 ir_row_step(const struct ir_row *rows, u64 first, u64 count, u64 found, u64 step, u64 low)
{
	u64 next = found + step;
	u64 slot = (first + next) & (IR_SLAB_ROWS - 1);

	return found + (ir_at_or_below(next, count, rows[slot].address_low, low) & step);
}

/*
 * The rule in force at a stated address of an image, or NULL with the reason in walk->stop. A page that is not loaded is left
 * in walk->missing: user space makes it.
 */
IR_APART const struct ir_rule *ir_search_rule(struct ir_walk *walk, u32 image, u64 address)
{
	struct ir_page_key key = { .image = image, .page = (u32)(address >> IR_PAGE_SHIFT) };
	struct ir_page *page = ir_page_find(walk, &key);

	walk->stop = IR_STOP_NO_TABLE;
	if (!page) {
		walk->missing = key;
		return 0;
	}
	walk->stop = IR_STOP_LOOKUP_FAILED;
	const struct ir_row *rows = ir_row_slab(walk, page->slab);
	u64 first = page->first, count = page->count, low = address & (IR_PAGE_SIZE - 1), found = 0;

	if (!rows || count == 0)
		return 0;
	if (page->last_used != walk->epoch)
		page->last_used = walk->epoch;
	if (count > 2048) {
		IR_FOR_STEPS(step, 32768, 2048)
			found = ir_row_step(rows, first, count, found, step, low);
	}
	IR_FOR_STEPS(step, 1024, 1)
		found = ir_row_step(rows, first, count, found, step, low);
	return ir_rule_at(walk, rows[(first + found) & (IR_SLAB_ROWS - 1)].rule);
}

IR_INLINE bool ir_is_rule_of(const struct ir_known_rule *known, const struct ir_walk *walk, u32 image, u64 address)
{
	return known->address == address && known->image == image && known->epoch == walk->epoch;
}

IR_INLINE u16 *ir_known_index(struct ir_known_rules *all, u32 image, u64 address)
{
	return &all->index[ir_hash_mix(image, address) & (IR_KNOWN_RULES_INDEX - 1)];
}

/* Searches a rule, and keeps it at hand. */
IR_APART const struct ir_rule *ir_learn_rule(struct ir_walk *walk, u32 image, u64 address)
{
	struct ir_known_rules *all = ir_known_rules(walk);
	const struct ir_rule *rule = ir_search_rule(walk, image, address);

	if (!all || !rule)
		return 0;
	u32 at = (u32)all->end++;
	struct ir_known_rule *known = &all->rules[at & (IR_KNOWN_RULES - 1)];

	*ir_known_index(all, image, address) = (u16)at;
	known->address = address;
	known->other_next = at + 1;
	known->image = image;
	known->epoch = walk->epoch;
	known->rule = *rule;
	walk->known = at + 1;
	return &known->rule;
}

/* So many rules from now the next one is needed that is fetched now. */
#define IR_FETCHED_AHEAD 6

/*
 * As ir_search_rule. The same call sites come again and again, and between two samples the program has the CPU's caches
 * to itself: a search touches half a dozen cold cache lines, a known rule half a one.
 */
IR_INLINE const struct ir_rule *ir_find_rule(struct ir_walk *walk, u32 image, u64 address)
{
	struct ir_known_rules *all = ir_known_rules(walk);

	if (!all)
		return ir_search_rule(walk, image, address);
	/* A walk's first frame has no callee: the last entry stands for it. */
	u32 at = walk->known;
	struct ir_known_rule *known = &all->rules[at & (IR_KNOWN_RULES - 1)];

	if (!ir_is_rule_of(known, walk, image, address)) {
		struct ir_known_rule *callee = &all->rules[(at - 1) & (IR_KNOWN_RULES - 1)];

		at = callee->other_next;
		known = &all->rules[at & (IR_KNOWN_RULES - 1)];
		if (!ir_is_rule_of(known, walk, image, address)) {
			at = *ir_known_index(all, image, address);
			callee->other_next = at;
			known = &all->rules[at & (IR_KNOWN_RULES - 1)];
			if (!ir_is_rule_of(known, walk, image, address))
				return ir_learn_rule(walk, image, address);
		}
	}
	walk->known = at + 1;
	IR_TOUCH(&all->rules[known->other_next & (IR_KNOWN_RULES - 1)]);
	IR_TOUCH(&all->rules[(at + IR_FETCHED_AHEAD) & (IR_KNOWN_RULES - 1)]);
	return &known->rule;
}

/* enum ir_rule_kind: how the native frame is unwound, whether it is a runtime's or not. */
IR_INLINE u32 ir_native_kind(const struct ir_rule *rule)
{
	return rule->kind & ~IR_RULE_OF_RUNTIME;
}
