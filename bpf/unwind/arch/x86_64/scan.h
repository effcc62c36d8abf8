/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The caller of a frame of a JIT that keeps no frame pointers: the words above its stack pointer are looked at, one after
 * the other. One may be the return address if the call before it can have led to such code. It is one if tables lead on from
 * it: what its function returns to is after a call, too, and the walk does not lose its way. Else the search goes on behind it.
 *
 * What earlier calls have left on the stack may look the same: every stack that is found so is marked as a guess. One of which
 * nothing is found ends at that frame.
 */
#pragma once

#include "apply.h"
#include "frame_size.h"

/* Above what a function keeps for itself, what it has pushed. */
#define IR_PUSHED_BYTES 72
/* So far around a word of the stack there is no code. */
#define IR_STACK_REACH (8ull << 20)
/* Where code may be: above the pages at zero, below the kernel. */
#define IR_CODE_LOWEST 65536
#define IR_CODE_BITS   47
/* A caller's frame by rbp is not larger. */
#define IR_FRAME_REACH 65536
/* Words below a return address in which a function may have saved rbp. */
#define IR_FRAME_WORDS 8

IR_INLINE bool ir_may_be_code(u64 slot, u64 word)
{
	return word >= IR_CODE_LOWEST && word >> IR_CODE_BITS == 0 &&
	       word - slot + IR_STACK_REACH >= 2 * IR_STACK_REACH;
}

/* Whether walk->mapping is of the kind that is searched for the caller of: no executable's. */
IR_INLINE bool ir_is_in_jit(const struct ir_walk *walk)
{
	return walk->mapping.image == IR_IMAGE_NONE || ir_is_in(&walk->mapping, walk->scan.pc);
}

/* As ir_find_mapping, for searches. */
IR_GLOBAL int ir_scan_mapping(struct ir_walk *walk, u64 pc)
{
	return walk && ir_find_mapping(walk, pc);
}

/* Whether a call is known to lead to a function of an executable. */
IR_INLINE bool ir_calls_executable(struct ir_walk *walk, u64 call)
{
	return call > IR_CALL_ANYWHERE && ir_scan_mapping(walk, call) && !ir_is_in_jit(walk);
}

/* Whether a word of the stack is a return address, as far as can be told. */
IR_INLINE bool ir_is_return(struct ir_walk *walk, u64 word, u64 call)
{
	return call >= IR_CALL_ANYWHERE || (call == IR_CALL_UNREADABLE && ir_scan_mapping(walk, word - 1));
}

/* There is no caller to be found: the stack ends at the frame, or goes on by the frame pointer. */
IR_INLINE void ir_scan_give_up(struct ir_walk *walk)
{
	walk->scan.phase = IR_SCAN_NONE;
	if (!walk->scan.has_frame_above) {
		ir_walk_stop(walk, IR_STOP_NO_CFI);
		return;
	}
	walk->registers.general[IR_RSP] = walk->scan.sp;
	walk->registers.general[IR_RBP] = walk->scan.fp;
	walk->valid = (1u << IR_RSP) | (1u << IR_RBP);
	ir_step_frame_pointer(walk, false);
}

/* The next word above what the function keeps for itself is looked at; where none was it, all are. */
IR_INLINE bool ir_scan_widen(struct ir_walk *walk)
{
	if (walk->scan.frame == 0)
		return false;
	walk->scan.frame = 0;
	walk->scan.next = walk->scan.sp;
	walk->scan.end = walk->scan.limit;
	return true;
}

/* Looks whether the next word may be the return address. */
IR_INLINE void ir_scan_return(struct ir_walk *walk)
{
	u64 word, slot = walk->scan.next;

	if (slot < walk->scan.end)
		ir_stack_cover(walk, slot);
	if (slot >= walk->scan.end || !ir_read_stack(walk, slot, &word)) {
		if (!ir_scan_widen(walk))
			ir_scan_give_up(walk);
		return;
	}
	walk->scan.next = slot + 8;
	if (!ir_may_be_code(slot, word) || !ir_scan_mapping(walk, word - 1) || ir_is_in_jit(walk))
		return;
	bool is_unreadable = walk->mapping.image == IR_IMAGE_UNREADABLE;
	u64 call = ir_call_before(slot, word);

	if (call == IR_CALL_NONE || ir_calls_executable(walk, call))
		return;
	if (call == IR_CALL_UNREADABLE || is_unreadable) {
		ir_scan_give_up(walk);
		return;
	}
	walk->scan.found = walk->scan.saved = slot;
	walk->scan.phase = IR_SCAN_FRAME;
	walk->registers.pc = word;
	walk->registers.general[IR_RSP] = slot + 8;
	walk->registers.general[IR_RBP] = walk->scan.fp;
	walk->valid = 1u << IR_RSP;
	walk->return_address = 1;
}

/*
 * The caller's rbp is what the frame has left in it, or one of the words that it pushed at its entry, if a return address is
 * where it leads. Else it is not known.
 */
IR_INLINE void ir_scan_frame(struct ir_walk *walk)
{
	u64 sp = walk->registers.general[IR_RSP], fp = walk->registers.general[IR_RBP], ra;

	if (fp >= sp && fp - sp < IR_FRAME_REACH && (fp & 7) == 0 && ir_read_user(&ra, sizeof(ra), fp + 8) &&
	    ir_may_be_code(fp, ra) && ir_is_return(walk, ra, ir_call_before(fp + 8, ra))) {
		walk->valid |= 1u << IR_RBP;
		walk->scan.phase = IR_SCAN_TRIES;
		return;
	}
	u64 slot = walk->scan.saved - 8;

	walk->scan.saved = slot;
	if (slot < walk->scan.sp || walk->scan.found - slot > IR_FRAME_WORDS * 8 ||
	    !ir_read_stack(walk, slot, &walk->registers.general[IR_RBP]))
		walk->scan.phase = IR_SCAN_TRIES;
}

/* Looks for the frame's size in the code, and narrows the search by it. */
IR_INLINE void ir_scan_size(struct ir_walk *walk)
{
	s64 noted = ir_noted_frame(walk->scan.sp);

	if (noted >= 0)
		walk->scan.frame = (u64)noted;
	else if (!ir_scan_code(walk))
		return;
	u64 start = walk->scan.sp + walk->scan.frame;

	walk->scan.phase = IR_SCAN_RETURN;
	walk->scan.next = start;
	if (walk->scan.frame && start + IR_PUSHED_BYTES < walk->scan.limit)
		walk->scan.end = start + IR_PUSHED_BYTES;
}

/* A step of a search. */
IR_GLOBAL int ir_scan_word(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	if (walk->scan.phase == IR_SCAN_RETURN)
		ir_scan_return(walk);
	else if (walk->scan.phase == IR_SCAN_SIZE)
		ir_scan_size(walk);
	else
		ir_scan_frame(walk);
	return 0;
}

/*
 * Begins a search from the stack pointer on, to `limit` at most. If nothing is found, and has_frame_above says that rbp leads to a
 * frame, that one's function is the caller.
 */
IR_INLINE void ir_scan_begin(struct ir_walk *walk, u64 limit, bool has_frame_above)
{
	struct ir_scan *scan = &walk->scan;
	u64 sp = walk->registers.general[IR_RSP];

	scan->phase = IR_SCAN_SIZE;
	scan->code = scan->pc + IR_CODE_AHEAD;
	scan->count = walk->count;
	scan->hash = walk->hash;
	scan->sp = sp;
	scan->fp = (walk->valid >> IR_RBP) & 1 ? walk->registers.general[IR_RBP] : 0;
	scan->end = scan->limit = limit - sp < IR_SCAN_BYTES ? limit : sp + IR_SCAN_BYTES;
	scan->has_frame_above = has_frame_above;
}

/* Takes back what was found, and looks on. */
IR_INLINE void ir_scan_on(struct ir_walk *walk)
{
	walk->scan.phase = IR_SCAN_RETURN;
	walk->count = walk->scan.count;
	walk->hash = walk->scan.hash;
	walk->done = 0;
}

/* After each step beyond a frame whose caller was searched: whether what was found is one. */
IR_GLOBAL int ir_scan_check(struct ir_walk *walk)
{
	if (!walk)
		return 0;
	u32 stop = walk->stop, above = walk->count - walk->scan.count;
	u64 slot = walk->registers.general[IR_RSP] - 8, pc = walk->registers.pc;

	if (walk->defer) {
		/* Only for code need user space be asked whether it is mapped by now. */
		if (stop != IR_STOP_NO_MAPPING || ir_call_before(slot, pc) >= IR_CALL_ANYWHERE)
			return 0;
		walk->defer = 0;
	}
	if (!walk->done) {
		if (above == 1 && !ir_is_return(walk, pc, ir_call_before(slot, pc)) &&
		    !ir_original_return(walk, slot))
			ir_scan_on(walk);
	} else if (stop == IR_STOP_NO_MAPPING || stop == IR_STOP_NO_PROGRESS ||
		   stop == IR_STOP_STACK_UNREADABLE || stop == IR_STOP_BAD_FRAME_POINTER) {
		ir_scan_on(walk);
	} else if (above <= 1 && stop != IR_STOP_COMPLETE) {
		/* Nothing speaks for it, and nothing against it. */
		ir_scan_on(walk);
		walk->scan.frame = 0;
		walk->scan.next = walk->scan.end;
	}
	return 0;
}
