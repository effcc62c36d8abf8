/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * V8's frames: src/execution/frame-constants.h. All of them are linked by rbp, and say what they are in the word below it: a frame of
 * JavaScript has its context there, which is a tagged pointer, all others twice the number of their type. The interpreter and the
 * library are machine code in the executable, which no table describes; what the compilers make is in anonymous memory.
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"
#include "progress.h"

/* A frame, around its frame pointer, which is where caller_fp is. */
struct ir_v8_frame {
	u64 bytecode;		/* interpreted: the offset in its bytecode, from the array's tagged pointer on; a Smi */
	u64 bytecodes;
	u64 arguments;
	u64 function;
	u64 context;		/* or twice the type of the frame */
	u64 caller_fp;
	u64 return_address;
};

/* No type of a frame has twice this number. */
#define IR_V8_TYPES 128

/* x86_64: where a function is that is called. */
#define IR_V8_CALLEE 5

/* None is in the lowest 16 MiB: V8's own code fills gaps of its frames with 0xcdcdcd. */
IR_INLINE bool ir_v8_is_object(u64 word)
{
	return (word & 3) == 1 && word >> 24 != 0 && word >> 47 == 0;
}

/* Whether a word says of what type a frame is that is none of a function. */
IR_INLINE bool ir_v8_is_type(u64 word)
{
	return word < IR_V8_TYPES && !(word & 1);
}

IR_INLINE u32 ir_v8_small(u64 smi)
{
	return (u32)(smi >> 32);
}

struct ir_v8_function {
	u64 shared;
	u64 hash;
};

enum ir_v8_kind {
	IR_V8_UNREADABLE,
	IR_V8_LIBRARY,	/* the engine's own, of no script */
	IR_V8_SCRIPT,
};

/*
 * enum ir_v8_kind: what function that is. Numbers of scripts are never used again: the hash tells one from all others, wherever they
 * are moved.
 */
IR_GLOBAL int ir_v8_read(struct ir_walk *walk, u64 function, struct ir_v8_function *found)
{
	u64 shared, script, map, id;
	u32 literal;
	u16 type;

	if (!walk || !found)
		return IR_V8_UNREADABLE;
	const struct ir_runtime_states *states = ir_states_of_runtimes(walk);

	if (!states)
		return IR_V8_UNREADABLE;
	const struct ir_v8_state *v8 = &states->v8;

	if (!ir_v8_is_object(function) || !ir_read_user(&shared, sizeof(shared), function - 1 + v8->shared) ||
	    !ir_v8_is_object(shared) || !ir_read_user(&script, sizeof(script), shared - 1 + v8->script) ||
	    !ir_v8_is_object(script) || !ir_read_user(&map, sizeof(map), script - 1) || !ir_v8_is_object(map) ||
	    !ir_read_user(&type, sizeof(type), map - 1 + v8->instance_type))
		return IR_V8_UNREADABLE;
	if (type != v8->script_type)
		return IR_V8_LIBRARY;
	if (!ir_read_user(&literal, sizeof(literal), shared - 1 + v8->literal) ||
	    !ir_read_user(&id, sizeof(id), script - 1 + v8->script_id))
		return IR_V8_UNREADABLE;
	found->shared = shared;
	found->hash = ir_hash_mix(0, literal | (u64)ir_v8_small(id) << 32);
	return IR_V8_SCRIPT;
}

IR_INLINE bool ir_v8_read_frame(struct ir_v8_frame *frame, u64 fp)
{
	return (fp & 7) == 0 &&
	       ir_read_user(frame, sizeof(*frame), fp - __builtin_offsetof(struct ir_v8_frame, caller_fp));
}

/* The next frame is the one that a frame pointer leads to. */
IR_INLINE void ir_v8_leave(struct ir_walk *walk, const struct ir_v8_frame *frame)
{
	u64 fp = walk->registers.general[IR_ARCH_FP];

	walk->registers.pc = frame->return_address;
	walk->registers.general[IR_ARCH_SP] = fp + 16;
	walk->registers.general[IR_ARCH_FP] = frame->caller_fp;
	walk->valid = (1u << IR_ARCH_SP) | (1u << IR_ARCH_FP);
	walk->return_address = 1;
}

/* Where the interpreter is in its bytecode. */
IR_INLINE u32 ir_v8_bytecode(const struct ir_v8_state *v8, const struct ir_v8_frame *frame)
{
	u32 offset = ir_v8_small(frame->bytecode) + 1 - v8->bytecodes;

	return offset >> 30 ? 0 : offset;
}

/*
 * Whether the frame pointer is that of the frame that the held rule is of. Where the rule has it elsewhere, code is among those that have
 * moved their return address, for arguments that they push for what they call, if it has saved the caller's.
 */
IR_INLINE bool ir_v8_has_frame(struct ir_walk *walk)
{
	const struct ir_rule *rule = &walk->held;
	u32 base = rule->cfa_reg & (IR_REGISTERS - 1);

	if (ir_native_kind(rule) == IR_RULE_OFFSET && ((walk->valid >> base) & 1))
		return walk->registers.general[base] + (s64)rule->cfa_offset ==
			       walk->registers.general[IR_ARCH_FP] + 16 ||
		       (walk->return_address && rule->fp_slot != IR_SLOT_SAME);
	return walk->return_address || ir_v8_progress(walk) == IR_V8_BUILT;
}

/* Takes back the native frame that is the interpreter's, and puts in the function that it runs. */
IR_INLINE void ir_v8_interpreted(struct ir_walk *walk, const struct ir_v8_function *function, u32 bytecode)
{
	walk->count -= 1;
	walk->hash = walk->held_hash;
	ir_walk_push_made(walk, ir_frame_place(function->shared & ~7ULL, IR_RUNTIME_V8, 0),
			   (u32)(function->hash >> 32), bytecode);
}

/*
 * A frame in the engine's own code of the executable, which was put in already: it is taken back if it is the interpreter's, which runs
 * a function of a script. 0: its rule leads on.
 */
IR_GLOBAL int ir_v8_step_in_image(struct ir_walk *walk)
{
	struct ir_v8_function function = {};
	struct ir_v8_frame frame;

	if (!walk)
		return 0;
	const struct ir_runtime_states *states = ir_states_of_runtimes(walk);
	u64 fp = walk->registers.general[IR_ARCH_FP];

	if (!states || !states->v8.present || !((walk->valid >> IR_ARCH_FP) & 1) ||
	    fp < walk->registers.general[IR_ARCH_SP] || !ir_v8_has_frame(walk) || !ir_v8_read_frame(&frame, fp))
		return 0;
	if (ir_v8_is_object(frame.context)) {
		int kind = ir_v8_read(walk, frame.function, &function);

		if (kind == IR_V8_SCRIPT)
			ir_v8_interpreted(walk, &function, ir_v8_bytecode(&states->v8, &frame));
		else if (kind == IR_V8_UNREADABLE)
			ir_walk_doubt(walk);
	} else if (!ir_v8_is_type(frame.context)) {
		return 0;
	}
	ir_v8_leave(walk, &frame);
	return 1;
}

/* A frame of the engine's in memory of its own that is none of a function: code of a regular expression, of WebAssembly. */
IR_INLINE bool ir_v8_step_other(struct ir_walk *walk, const struct ir_v8_frame *frame)
{
	if (!ir_v8_is_type(frame->context) || !ir_is_in(&walk->mapping, walk->registers.pc - walk->return_address) ||
	    walk->mapping.image != IR_IMAGE_NONE)
		return false;
	ir_walk_push_raw(walk, walk->registers.pc, IR_IMAGE_NONE, walk->return_address ? IR_FRAME_RETURN_ADDRESS : 0);
	ir_v8_leave(walk, frame);
	return true;
}

/* Puts in a function of compiled code; shared 0: which it is could not be read. */
IR_INLINE void ir_v8_compiled(struct ir_walk *walk, const struct ir_v8_function *function, u32 flags)
{
	u64 pc = walk->registers.pc - walk->return_address;
	u32 space = (u32)(pc >> 32) << 16 | (u32)(function->hash >> 48);

	ir_walk_push_made(walk, ir_frame_place((function->shared & ~7ULL) | IR_V8_COMPILED, IR_RUNTIME_V8, flags),
			   space, (u32)pc);
}

/* A frame at a pc outside all images. false: it is none of V8's. */
IR_INLINE bool ir_v8_step(struct ir_walk *walk)
{
	struct ir_rule rule = { .fp_slot = IR_SLOT_SAME, .rbx_slot = IR_SLOT_UNDEFINED, .ra_slot = -1 };
	u64 fp = walk->registers.general[IR_ARCH_FP], sp = walk->registers.general[IR_ARCH_SP];
	int progress = ir_v8_progress(walk);
	bool is_built = progress == IR_V8_BUILT;
	struct ir_v8_function function = {};
	struct ir_v8_frame frame;
	u32 flags = 0;

	if (!((walk->valid >> IR_ARCH_FP) & 1) || fp < sp || !ir_v8_read_frame(&frame, fp))
		return false;
	if (is_built && !ir_v8_is_object(frame.context))
		return ir_v8_step_other(walk, &frame);
	if (!is_built && (walk->valid & IR_MORE_REGISTERS))
		ir_fetch_registers(walk);
	/* A function that has left its frame is not known any more. */
	if (progress != IR_V8_LEFT &&
	    ir_v8_read(walk, is_built ? frame.function : walk->registers.general[IR_V8_CALLEE], &function) != IR_V8_SCRIPT) {
		if (!is_built)
			return false;
		flags = IR_FRAME_LOW_CONFIDENCE;
	}
	ir_v8_compiled(walk, &function, flags);
	if (is_built || progress == IR_V8_MOVED)
		ir_v8_leave(walk, &frame);
	else
		ir_step_to_caller(walk, &rule, sp + (progress == IR_V8_PUSHED ? 16 : 8));
	return true;
}
