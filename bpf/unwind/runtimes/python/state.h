/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What user space tells of a process that runs CPython. Parses alone, as the headers of abi/include do. */
#pragma once

/* How the frames that one native frame of the interpreter's loop runs end. */
enum ir_python_run {
	IR_PYTHON_EACH = 0,	/* until 3.10: each frame is run by a loop of its own */
	IR_PYTHON_ENTRY = 1,	/* 3.11: the run's last frame says so: the byte at `mark` is not 0 */
	IR_PYTHON_SHIM = 2,	/* since 3.12: a frame without code follows: the byte at `mark` is 3 or more */
};

/* What a frame's position is. */
enum ir_python_position {
	IR_PYTHON_BYTES = 0,	/* until 3.9: an int, bytes from the first instruction */
	IR_PYTHON_UNITS = 1,	/* 3.10: an int, in units of two bytes */
	IR_PYTHON_POINTER = 2,	/* since 3.11: the address of the instruction */
};

enum ir_python_presence {
	IR_PYTHON_ABSENT = 0,
	IR_PYTHON_FOLLOWED = 1,
	/* Its layout is not known: its major and minor number are in `mark`, and nothing else is there. */
	IR_PYTHON_UNKNOWN = 2,
};

#define IR_PYTHON_NONE 0xffff

/* Where an interpreter keeps what. Offsets in bytes. All zero where there is none. */
struct ir_python_state {
	/* Of the int that is the number of the pthread key under which each thread keeps its state; runtime address. */
	unsigned long long key;
	unsigned short present;		/* enum ir_python_presence */
	unsigned short run;		/* enum ir_python_run */
	unsigned short position_kind;	/* enum ir_python_position */
	unsigned short first_frame;	/* in the thread's state: the frame that runs, or what points to it */
	unsigned short through;		/* in what that points to: the frame; IR_PYTHON_NONE: it is the frame */
	unsigned short previous;	/* in a frame: its caller */
	unsigned short code;		/* in a frame: its code object; the lowest bit may be a tag */
	unsigned short position;	/* in a frame */
	unsigned short mark;		/* in a frame: see enum ir_python_run */
	unsigned short instructions;	/* in a code object: the first instruction */
	unsigned short first_line;	/* in a code object */
	unsigned short version;		/* in a code object; IR_PYTHON_NONE: versions have no number */
	unsigned short file;		/* in a code object */
	unsigned short name;		/* in a code object */
};
_Static_assert(sizeof(struct ir_python_state) == 40, "CPython's state is 40 bytes");
