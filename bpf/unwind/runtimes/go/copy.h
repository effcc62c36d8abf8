/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Go runs C and its own scheduler on the thread's system stack, on behalf of a goroutine with a stack of its own: both are
 * needed to unwind. The process may be unknown yet, so where Go keeps its state is a guess, which the state itself is
 * checked by; a wrong one costs pages, and no stack is made of it (step.h reads the state again, at the offsets of the
 * program's own code).
 *
 * Layouts: Go's src/runtime/runtime2.go, 1.10 to 1.26. struct g begins with stack.lo, stack.hi, two guards, _panic, _defer, m,
 * sched.sp. struct m begins with g0; curg, at 0xb8 or 0xc0, is the first pointer to another g of its own behind gsignal.
 */
#pragma once

#include "../../../programs/copy.h"

#define GO_G_TLS	(-8)	/* in executables; on x86_64 */
#define GO_G_STACK	0
#define GO_G_M		48
#define GO_G_SCHED	56
#define GO_G_SCHED_END	112
#define GO_M_CURG_FIRST 0x80
#define GO_M_CURG_LAST	0x100

struct goroutine {
	u64 g_at;	/* where the g in use is told */
	u64 g;		/* the system stack's */
	u64 m;
	u64 curg_at;	/* where the goroutine is told */
	u64 curg;
	u64 sp;		/* where the goroutine left off */
	u64 end;	/* of its stack */
};

IR_INLINE u64 user_word(u64 address)
{
	u64 word = 0;

	return ir_read_user(&word, sizeof(word), address) ? word : 0;
}

/* Whether the thread is on the system stack of Go's runtime. */
IR_INLINE bool find_system_stack(struct goroutine *found, struct task_struct *task)
{
	found->g_at = ir_arch_thread_pointer(task) + GO_G_TLS;
	found->g = user_word(found->g_at);
	found->m = found->g ? user_word(found->g + GO_G_M) : 0;
	return found->m && user_word(found->m) == found->g;
}

/* On whose behalf. */
IR_INLINE bool find_goroutine(struct goroutine *found)
{
	for (u32 offset = GO_M_CURG_FIRST; offset < GO_M_CURG_LAST; offset += 8) {
		found->curg_at = found->m + offset;
		found->curg = user_word(found->curg_at);
		if (!found->curg || found->curg == found->g || user_word(found->curg + GO_G_M) != found->m)
			continue;
		u64 low = user_word(found->curg + GO_G_STACK);

		found->sp = user_word(found->curg + GO_G_SCHED);
		found->end = user_word(found->curg + GO_G_STACK + 8);
		if (low && low <= found->sp && found->sp < found->end)
			return true;
	}
	return false;
}

IR_INLINE u64 page_of(u64 address)
{
	return address & ~(u64)(IR_COPY_PAGE - 1);
}

/* A page may be copied more than once: user space keeps one of them. */
IR_INLINE void copy_other_page(struct ir_copy *copy, u32 index, u64 address)
{
	if (copy_next(copy, page_of(address)) == PAGE_IS_COPIED)
		copy->head.other_pages[index] = page_of(address);
}

/* The goroutine's stack from where it left off, and what says where that is. */
IR_APART int copy_goroutine(struct ir_copy *copy, struct task_struct *task)
{
	struct goroutine found = {};

	if (!find_system_stack(&found, task) || !find_goroutine(&found))
		return 0;
	copy_other_page(copy, 0, found.g_at);
	copy_other_page(copy, 1, found.g + GO_G_M);
	copy_other_page(copy, 2, found.curg_at);
	copy_other_page(copy, 3, found.curg + GO_G_SCHED);
	copy_other_page(copy, 4, found.curg + GO_G_SCHED_END - 8);
	u64 pages = (found.end - page_of(found.sp) + IR_COPY_PAGE - 1) / IR_COPY_PAGE;

	if (pages > IR_COPY_PAGES / 2)
		pages = IR_COPY_PAGES / 2;
	struct copy_stack stack = {
		.copy = copy,
		.address = page_of(found.sp) + pages * IR_COPY_PAGE,
		.pages = copy->head.root_pages,
	};

	copy->head.root_address = stack.address;
	bpf_loop(pages, copy_page_down, &stack, 0);
	return 0;
}
