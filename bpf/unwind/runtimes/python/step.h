/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CPython's own frames. The interpreter's loop is one native frame, which runs a chain of them: callers that are Python, too, share it
 * since 3.11. Layouts are CPython's Include/internal/pycore_frame.h (pycore_interpframe_structs.h since 3.14), Include/frameobject.h
 * until 3.10; which of them holds is in the state (crates/runtimes/src/python).
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"

/* Where glibc (2.31 to 2.43, x86_64) keeps the value of a pthread key below 32, from the thread pointer: nptl/descr.h. */
#define IR_PTHREAD_VALUES 0x310
#define IR_PTHREAD_VALUE  16
#define IR_PTHREAD_KEYS	  32

/* Owners from here on are frames without a function: FRAME_OWNED_BY_CSTACK, since 3.14 FRAME_OWNED_BY_INTERPRETER as well. */
#define IR_PYTHON_OWNED_BY_C 3

/* Of a string object: its hash. */
#define IR_PYTHON_TEXT_HASH 24

struct ir_python_frame {
	u64 previous;
	u64 code;
	u64 position;
	u8 mark;
};

/* The frame that the current thread runs. false: it cannot be read; 0: it runs none. */
IR_INLINE bool ir_python_first(struct ir_walk *walk, const struct ir_python_state *python)
{
	u32 key;
	u64 thread, frame;

	if (!ir_read_user(&key, sizeof(key), python->key) || key >= IR_PTHREAD_KEYS)
		return false;
	u64 slot = ir_thread_pointer(walk) + IR_PTHREAD_VALUES + key * IR_PTHREAD_VALUE + 8;

	if (!ir_read_user(&thread, sizeof(thread), slot))
		return false;
	walk->python_frame = 0;
	if (thread == 0)
		return true;
	if (!ir_read_user(&frame, sizeof(frame), thread + python->first_frame))
		return false;
	if (python->through != IR_PYTHON_NONE && frame &&
	    !ir_read_user(&frame, sizeof(frame), frame + python->through))
		return false;
	walk->python_frame = frame;
	return true;
}

IR_INLINE bool ir_python_read(struct ir_python_frame *frame, u64 address, const struct ir_python_state *python)
{
	return ir_read_user(&frame->previous, sizeof(u64), address + python->previous) &&
	       ir_read_user(&frame->code, sizeof(u64), address + python->code) &&
	       ir_read_user(&frame->position, sizeof(u64), address + python->position) &&
	       ir_read_user(&frame->mark, sizeof(u8), address + python->mark);
}

/*
 * A check against another code object at the same address later: user space computes the same when it reads the name. Since 3.12
 * a code object has a number that no other has; before, it is its name, which may be made anew at the same address, too.
 */
IR_INLINE bool ir_python_check(u64 code, const struct ir_python_state *python, u32 *check)
{
	u64 file, name, text = 0;
	u32 line, version = 0;

	if (!ir_read_user(&line, sizeof(line), code + python->first_line) ||
	    !ir_read_user(&file, sizeof(file), code + python->file) ||
	    !ir_read_user(&name, sizeof(name), code + python->name) ||
	    (python->version != IR_PYTHON_NONE &&
	     !ir_read_user(&version, sizeof(version), code + python->version)) ||
	    (version == 0 && !ir_read_user(&text, sizeof(text), name + IR_PYTHON_TEXT_HASH)))
		return false;
	u64 hash = ir_hash_mix(0, line | (u64)version << 32);

	hash = ir_hash_mix(ir_hash_mix(ir_hash_mix(hash, file), name), text);
	*check = (u32)(hash >> 32);
	return true;
}

/* Bytes from the first instruction; 0 of a frame that has not begun. */
IR_INLINE u32 ir_python_position(const struct ir_python_frame *frame, u64 code, const struct ir_python_state *python)
{
	s32 index = (s32)frame->position;

	if (python->position_kind == IR_PYTHON_POINTER) {
		u64 bytes = frame->position - code - python->instructions;

		return bytes >> 31 ? 0 : (u32)bytes;
	}
	if (index < 0)
		return 0;
	return python->position_kind == IR_PYTHON_UNITS ? (u32)index * 2 : (u32)index;
}

/* Says that there are frames of Python here, which could not be read: the stack is not known to be right. */
IR_INLINE bool ir_python_give_up(struct ir_walk *walk)
{
	walk->python_frame = 0;
	ir_walk_push_made(walk, ir_frame_place(0, IR_RUNTIME_PYTHON, IR_FRAME_LOW_CONFIDENCE), 0, 0);
	return false;
}

/* Says once that functions of Python run here, of a version whose layout is not known. The native stack is as whole as any. */
IR_INLINE bool ir_python_say_unknown(struct ir_walk *walk, u16 version)
{
	if (walk->python_begun)
		return false;
	walk->python_begun = 1;
	ir_walk_push_frame(walk, ir_frame_place(0, IR_RUNTIME_PYTHON, 0), 0, version);
	return false;
}

/* Takes the next frame that the interpreter's loop runs. false: it was the last one. */
IR_APART bool ir_python_step(struct ir_walk *walk)
{
	const struct ir_runtime_states *states = ir_states_of_runtimes(walk);
	struct ir_python_frame frame;
	u32 check;

	if (!states || !states->python.present)
		return false;
	const struct ir_python_state *python = &states->python;

	if (python->present == IR_PYTHON_UNKNOWN)
		return ir_python_say_unknown(walk, python->mark);
	if (!walk->python_begun) {
		walk->python_begun = 1;
		if (!ir_python_first(walk, python))
			return ir_python_give_up(walk);
	}
	if (walk->python_frame == 0)
		return false;
	if (!ir_python_read(&frame, walk->python_frame, python))
		return ir_python_give_up(walk);
	walk->python_frame = frame.previous;
	if (python->run == IR_PYTHON_SHIM && frame.mark >= IR_PYTHON_OWNED_BY_C)
		return false;
	u64 code = frame.code & ~1ULL;

	if (!ir_python_check(code, python, &check))
		return ir_python_give_up(walk);
	ir_walk_push_made(walk, ir_frame_place(code, IR_RUNTIME_PYTHON, 0), check,
			   ir_python_position(&frame, code, python));
	return python->run == IR_PYTHON_SHIM || (python->run == IR_PYTHON_ENTRY && frame.mark == 0);
}
