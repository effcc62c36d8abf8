/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Why a user stack ended. One list makes the C enum, the Rust names and the text that people see. Ids are never reused. */
#pragma once

/* X(id, NAME, "name shown as [truncated: name]", "what it means") */
#define IR_STOP_REASONS(X)                                                                                  \
	X(0, COMPLETE, "complete", "the stack reached its thread's entry")                                   \
	X(1, MAX_FRAMES, "max frames", "deeper than the frame limit")                                        \
	X(2, NO_MAPPING, "no mapping", "the return address is in no executable mapping of the process")      \
	X(3, NO_TABLE, "no unwind table", "the executable's table could not be made: it is unreadable")         \
	X(4, NO_CFI, "no unwind info", "nothing describes the code at this address, and its caller was not found") \
	X(5, UNSUPPORTED_RULE, "unsupported rule", "the unwind rule cannot be expressed in a compact row")    \
	X(6, REGISTER_LOST, "register lost", "the rule needs a register that is unknown in this frame")       \
	X(7, STACK_UNREADABLE, "stack unreadable", "stack memory is paged out or not mapped")                \
	X(8, NO_PROGRESS, "no progress", "the caller's frame would not be above this one")                   \
	X(9, BAD_FRAME_POINTER, "bad frame pointer", "the frame pointer chain left the stack")               \
	X(10, STACK_COPY_LIMIT, "stack copy limit", "deeper than the part of the stack that was copied")      \
	X(11, PROCESS_GONE, "process gone", "the process ended before its mappings could be read")           \
	X(12, COMPAT, "32-bit process", "32-bit code is not unwound")                                        \
	X(13, GO_STATE, "go state", "the Go scheduler state needed to switch stacks is not readable")        \
	X(14, LOOKUP_FAILED, "table damaged", "an unwind table refers outside its slab")                          \
	X(15, NOT_READY, "not ready", "the process is new and its tables were not loaded in time")          \
	X(16, MAPPINGS_CHANGED, "mappings changed", "other code was mapped where the stack leads just before")

enum ir_stop_reason {
#define IR_STOP_ENUM(id, name, text, meaning) IR_STOP_##name = id,
	IR_STOP_REASONS(IR_STOP_ENUM)
#undef IR_STOP_ENUM
	IR_STOP_COUNT = 17,
};
