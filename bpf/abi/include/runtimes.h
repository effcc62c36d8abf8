/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Language runtimes that the walk follows. One list makes the C enum and the Rust names. What belongs to one of them is in a folder
 * of its own, unwind/runtimes/NAME.
 */
#pragma once

#include "runtimes/go/state.h"
#include "runtimes/hotspot/state.h"
#include "runtimes/python/state.h"
#include "runtimes/v8/state.h"

/* X(number in rules, NAME, "name") */
#define IR_RUNTIMES(X) \
	X(1, GO, "go") \
	X(2, PYTHON, "python") \
	X(3, HOT_SPOT, "hotspot") \
	X(4, V8, "v8")

enum ir_runtime {
#define IR_RUNTIME_ENUM(number, name, text) IR_RUNTIME_##name = number,
	IR_RUNTIMES(IR_RUNTIME_ENUM)
#undef IR_RUNTIME_ENUM
};

/* The most that one runtime may keep here: a CPU copies what it keeps of a process. */
#define IR_RUNTIME_STATE_MAX 128

/* What the kernel side knows of the runtimes of a process, a part for each; all zero where it has none of that kind. */
struct ir_runtime_states {
	/* ir_process.run of the entry that this was told with. First: who writes over it begins here. */
	unsigned long long run;
	struct ir_go_state go;
	struct ir_python_state python;
	struct ir_hotspot_state hot_spot;
	struct ir_v8_state v8;
};
_Static_assert(sizeof(struct ir_go_state) <= IR_RUNTIME_STATE_MAX, "a runtime's state is small");
_Static_assert(sizeof(struct ir_python_state) <= IR_RUNTIME_STATE_MAX, "a runtime's state is small");
_Static_assert(sizeof(struct ir_hotspot_state) <= IR_RUNTIME_STATE_MAX, "a runtime's state is small");
_Static_assert(sizeof(struct ir_v8_state) <= IR_RUNTIME_STATE_MAX, "a runtime's state is small");
_Static_assert(sizeof(struct ir_runtime_states) == 208, "the states of runtimes are 208 bytes");
