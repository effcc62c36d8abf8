/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pages of a process's memory, copied one behind the other. Which ones is decided elsewhere. */
#pragma once

#include "platform_bpf.h"

struct copy_stack {
	struct ir_copy *copy;
	u64 address;	/* of the first page up, or after the first page down */
	u64 *pages;	/* IR_COPY_WORDS of them; bit n: page n was copied */
};

enum copied { COPY_IS_FULL, PAGE_IS_NOT_THERE, PAGE_IS_COPIED };

/* Puts the page at address behind those that were copied before. */
IR_INLINE enum copied copy_next(struct ir_copy *copy, u64 address)
{
	u64 taken = copy->pages;

	if (taken >= IR_COPY_PAGES)
		return COPY_IS_FULL;
	u64 offset = (taken & (IR_COPY_PAGES - 1)) * IR_COPY_PAGE;

	/* A page to which nothing was ever written is not there, in the midst of a large frame too. */
	if (!ir_read_user(copy->stack + offset, IR_COPY_PAGE, address))
		return PAGE_IS_NOT_THERE;
	copy->pages = taken + 1;
	return PAGE_IS_COPIED;
}

IR_INLINE long copy_page(struct copy_stack *stack, u32 index, u64 address)
{
	enum copied copied = copy_next(stack->copy, address);

	if (copied != PAGE_IS_COPIED)
		return copied == COPY_IS_FULL;
	stack->pages[(index >> 6) & (IR_COPY_WORDS - 1)] |= 1ULL << (index & 63);
	return 0;
}

static long copy_page_up(u32 index, struct copy_stack *stack)
{
	return copy_page(stack, index, stack->address + (u64)index * IR_COPY_PAGE);
}

static long copy_page_down(u32 index, struct copy_stack *stack)
{
	return copy_page(stack, index, stack->address - (u64)(index + 1) * IR_COPY_PAGE);
}
