/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state of one stack walk: the registers of the current frame, and the frames found so far. */
#pragma once

#include "abi.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef short s16;
typedef int s32;
typedef long long s64;

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define IR_INLINE static __always_inline

/*
 * For what is rarely run. Between two samples the program has the caches to itself, the instruction cache too: code that
 * most frames run lies close together, and the rest elsewhere.
 */
#define IR_APART static __attribute__((noinline, unused))

/* Hides a value's origin from the compiler, so that it keeps branch-free code that the verifier can follow. */
#define IR_OPAQUE(value) __asm__ volatile("" : "+r"(value))

/* Has the CPU fetch a line that will be needed soon, without waiting for it. */
#define IR_TOUCH(address) ((void)*(const volatile u8 *)(address))

/*
 * For what the verifier looks at once, and not for each way that leads there: a function that does not depend on its callers.
 */
#ifdef IR_HOST
#define IR_GLOBAL static __attribute__((unused))
#else
#define IR_GLOBAL __attribute__((noinline))
#endif

#define IR_REGISTERS  16

/* Steps of a walk: one a frame and one more, and those that search. */
#define IR_MAX_STEPS (IR_MAX_USER_FRAMES + 1 + 1024)

/* Of the stack, what is read at once, and what of it a step looks at: the words below its CFA. */
#define IR_PIECE_WORDS 64
#define IR_PIECE_BYTES (IR_PIECE_WORDS * 8)
#define IR_NEAR_BYTES  64

/* Powers of two. */
#define IR_KNOWN_RULES	     2048
#define IR_KNOWN_RULES_INDEX 4096

/* The rule at a stated address of an image, as the tables of an epoch have it. */
struct ir_known_rule {
	u64 address : 48;
	u64 other_next : 16;	/* where the caller's rule was, last time that it did not follow */
	u32 image;
	u32 epoch;
	struct ir_rule rule;
};
_Static_assert(sizeof(struct ir_known_rule) == 32, "two known rules share a cache line");

/*
 * Rules that one CPU keeps at hand, in the order in which walks came upon them: where a caller's rule is known, it mostly
 * follows its callee's, or is where it was when it last did not follow; both are fetched ahead. The newest takes the place
 * of the oldest.
 */
struct ir_known_rules {
	struct ir_known_rule rules[IR_KNOWN_RULES];
	u16 index[IR_KNOWN_RULES_INDEX];	/* by the hash of image and address: where its rule may be */
	u64 end;				/* rules kept so far */
};

#define IR_RECENT_MAPPINGS 4

/* In ir_walk.valid: this is the first frame, and the registers that are not valid can still be had. */
#define IR_MORE_REGISTERS (1u << IR_REGISTERS)
/* This is the second: it may have left what it needs in a register that the leaf has left alone. */
#define IR_LEAF_REGISTERS (IR_MORE_REGISTERS << 1)

/*
 * What is before a return address: nothing that is a call, code that cannot be read, a call to anywhere, or (all else) a call of
 * the function at that address.
 */
enum ir_call {
	IR_CALL_NONE = 0,
	IR_CALL_UNREADABLE = 1,
	IR_CALL_ANYWHERE = 2,
};

/* How far the search for a caller is: one step of the walk looks at one word. */
enum ir_scan_phase {
	IR_SCAN_NONE,		/* nothing is searched */
	IR_SCAN_SIZE,		/* for the size of the frame, in its function's code */
	IR_SCAN_RETURN,		/* for a return address */
	IR_SCAN_FRAME,		/* one was found: for the frame pointer that goes with it */
	IR_SCAN_TRIES,		/* the walk goes on from there, and may come back */
};

/* The search for the caller of a frame that neither a table nor a frame pointer leads on from: arch/x86_64/scan.h. */
struct ir_scan {
	u32 phase;		/* enum ir_scan_phase */
	u32 count;		/* of the frames up to the one whose caller is searched */
	u64 hash;		/* of them */
	u64 pc;			/* of that frame */
	u64 sp;			/* its stack pointer; 0: nothing was ever searched */
	u64 fp;			/* its frame pointer's register */
	u64 code;		/* the end of the code to be looked at next */
	u64 frame;		/* bytes that its function keeps for itself; 0: not known */
	u64 limit;		/* the end of the words that may be its return address */
	u64 end;		/* and of those that are looked at before all are */
	u64 next;		/* the word to be looked at next */
	u64 found;		/* where the return address is that was found */
	u64 saved;		/* the word below it that was looked at last */
	u64 has_frame_above;	/* 1: if nothing is found, the frame pointer leads to the caller */
};

struct ir_walk {
	struct ir_registers registers;
	u32 valid;		/* bit r: the general register r is known in this frame; IR_MORE_, IR_LEAF_REGISTERS */
	u32 return_address;	/* 1: pc is one past a call, look up pc - 1 */
	u32 done;		/* 1: the walk has ended for the reason in stop */
	u32 stop;		/* enum ir_stop_reason */
	u32 anonymous;		/* 1: some frame has no image, so the stack belongs to its process alone */
	u32 defer;		/* 1: user space could unwind this once it has read the process or image */
	u32 count;
	u32 epoch;		/* of the tables: marks pages as used; rules known from another are not used */
	u32 known;		/* where the caller's rule is, if it follows that of the last frame */
	struct ir_process process;
	struct ir_mapping mapping;	/* of the last frame: the next one is mostly in it too */
	struct ir_mapping recent[IR_RECENT_MAPPINGS];	/* of this process, found last */
	u32 recent_next;
	struct ir_page_key missing;	/* the page that the walk lacked; image 0: none */
	u32 runtime;		/* enum ir_runtime: its frames come next; 0: a native one */
	u32 python_begun;	/* 1: python_frame was read in this walk */
	struct ir_rule held;	/* of the last native frame, if it was not a plain one: leads to its caller */
	struct ir_frame held_frame;	/* the frame that runs the runtime's: it comes after them */
	u64 held_hash;		/* of the frames before it */
	u64 python_frame;	/* the next one; 0: there is none */
	struct ir_runtime_states states;	/* at hand, if its run is the process's */
	u64 hotspot_run;	/* the run in which the next is the address of a name */
	u64 hotspot_nmethod;	/* that all compiled methods of the process have */
	u64 hotspot_blob[IR_HOTSPOT_BLOB_WORDS];	/* the head of the last frame's */
	u64 hash;
	struct ir_scan scan;
	u64 piece_start;	/* runtime address of piece */
	u64 piece_bytes;	/* that were read: a multiple of 8, or 0 */
	u64 piece[IR_PIECE_WORDS];	/* of the stack, see stack.h */
	struct ir_sample sample;	/* with the stack behind it, the record that is sent */
	struct ir_stack head;
	struct ir_frame frames[IR_MAX_USER_FRAMES];
};

IR_INLINE void ir_forget_mappings(struct ir_walk *walk)
{
	walk->mapping.end = 0;
	for (u32 i = 0; i < IR_RECENT_MAPPINGS; i++)
		walk->recent[i].end = 0;
}

/*
 * Clears what the last walk left, in the kernel and on the host. The caller sets registers, valid, return_address, process,
 * and epoch, and forgets the mappings when the process is another one.
 */
IR_INLINE void ir_walk_begin(struct ir_walk *walk, u64 hash_key)
{
	walk->done = 0;
	walk->anonymous = 0;
	walk->defer = 0;
	walk->count = 0;
	walk->missing.image = 0;
	walk->scan.phase = IR_SCAN_NONE;
	walk->scan.sp = 0;
	walk->known = 0;
	walk->runtime = 0;
	walk->python_begun = 0;
	walk->piece_bytes = 0;
	walk->hash = hash_key ^ 0x75736572;
}

IR_INLINE void ir_walk_stop(struct ir_walk *walk, u32 reason)
{
	walk->stop = reason;
	walk->done = 1;
}

/* After the last step. */
IR_INLINE void ir_walk_end(struct ir_walk *walk)
{
	if (!walk->done)
		ir_walk_stop(walk, IR_STOP_MAX_FRAMES);
}

/* Stops for lack of something that user space can fetch. */
IR_INLINE void ir_walk_defer(struct ir_walk *walk, u32 reason)
{
	walk->defer = 1;
	ir_walk_stop(walk, reason);
}

/*
 * A multiply-xorshift round: well mixed, and cheap in BPF. The rotation brings the uppermost bits down, which a product alone
 * would leave where they are, whatever the key: two frames could then cancel out what they change.
 */
IR_INLINE u64 ir_hash_mix(u64 hash, u64 value)
{
	hash ^= value;
	hash = (hash << 23 | hash >> 41) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* The place of a frame: kind and flags above the address. */
IR_INLINE u64 ir_frame_place(u64 address, u32 kind, u32 flags)
{
	return (address & ((1ULL << IR_FRAME_ADDRESS_BITS) - 1)) | (u64)kind << IR_FRAME_KIND_SHIFT |
	       (u64)flags << IR_FRAME_FLAGS_SHIFT;
}

IR_INLINE void ir_walk_push_frame(struct ir_walk *walk, u64 place, u32 space, u32 position)
{
	u32 index = walk->count;

	if (index >= IR_MAX_USER_FRAMES) {
		ir_walk_stop(walk, IR_STOP_MAX_FRAMES);
		return;
	}
	struct ir_frame *frame = &walk->frames[index & (IR_MAX_USER_FRAMES - 1)];

	frame->place = place;
	frame->space = space;
	frame->position = position;
	walk->count = index + 1;
	walk->hash = ir_hash_mix(ir_hash_mix(walk->hash, place), space | (u64)position << 32);
}

/* A frame of a runtime, which means something in its process alone. */
IR_GLOBAL int ir_walk_push_made(struct ir_walk *walk, u64 place, u32 space, u32 position)
{
	if (!walk)
		return 0;
	walk->anonymous = 1;
	ir_walk_push_frame(walk, place, space, position);
	return 0;
}

/* A frame of native code, at a stated address of an image. */
IR_INLINE void ir_walk_push(struct ir_walk *walk, u64 address, u32 image, u32 flags)
{
	ir_walk_push_frame(walk, ir_frame_place(address, IR_FRAME_NATIVE, flags), image, 0);
}

/* Of the whole stack and how it ended. Addresses without an image mean something in one process only. */
IR_INLINE u64 ir_stack_hash(const struct ir_walk *walk, u32 pid)
{
	u64 hash = ir_hash_mix(walk->hash, walk->stop);

	return walk->anonymous ? ir_hash_mix(hash, pid) : hash;
}

/* Says of the last frame that the way from it to its caller is a guess. */
IR_INLINE void ir_walk_doubt(struct ir_walk *walk)
{
	walk->frames[(walk->count - 1) & (IR_MAX_USER_FRAMES - 1)].place |=
		(u64)IR_FRAME_LOW_CONFIDENCE << IR_FRAME_FLAGS_SHIFT;
	walk->hash = ir_hash_mix(walk->hash, IR_FRAME_LOW_CONFIDENCE);
}

/* A frame at a runtime address, which means something in its process alone. */
IR_INLINE void ir_walk_push_raw(struct ir_walk *walk, u64 address, u32 image, u32 flags)
{
	walk->anonymous = 1;
	ir_walk_push(walk, address, image, flags);
}
_Static_assert((IR_MAX_USER_FRAMES & (IR_MAX_USER_FRAMES - 1)) == 0, "the frame index is masked");
