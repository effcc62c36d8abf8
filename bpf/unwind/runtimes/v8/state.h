/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What user space tells of a process that runs V8, the JavaScript engine of Node.js. Parses alone, as the headers of abi/include do. */
#pragma once

/*
 * Of the address of a frame: compiled code. Its position is the lower half of the address that is run, the upper half of its space the
 * next 16 bits of that. Else it is interpreted: its position is an offset in its bytecode. What else there is of the address is that of
 * a SharedFunctionInfo; 0: which function it is could not be read.
 */
#define IR_V8_COMPILED 2

/* Where the engine keeps what. Offsets in bytes from the start of an object, to which a tagged pointer points one byte behind. */
struct ir_v8_state {
	unsigned short present;		/* 1 where the process runs V8 */
	unsigned short shared;		/* in a JSFunction: its SharedFunctionInfo */
	unsigned short script;		/* in a SharedFunctionInfo: its Script, if it is one of a script */
	unsigned short literal;		/* in a SharedFunctionInfo: its number in the script, an int */
	unsigned short script_id;	/* in a Script: its number, which no other has had, a Smi */
	unsigned short instance_type;	/* in a Map */
	unsigned short script_type;	/* the instance type of a Script */
	unsigned short bytecodes;	/* in a BytecodeArray: the first bytecode */
};
_Static_assert(sizeof(struct ir_v8_state) == 16, "V8's state is 16 bytes");
