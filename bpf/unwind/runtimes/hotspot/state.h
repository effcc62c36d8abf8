/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What user space tells of a process that runs HotSpot, the virtual machine of OpenJDK. Parses alone, as the headers of abi/include do. */
#pragma once

/* Three, for code of different lives (JEP 197); a fourth for code from a cache since 26. */
#define IR_HOTSPOT_HEAPS 4

/* Of a CodeBlob, what is read at once: its name and the size of its frame are in these words. */
#define IR_HOTSPOT_BLOB_WORDS 16

/* In the position of a frame: it is interpreted, its address is a Method and the rest the index of a bytecode. Else its address is a CodeBlob. */
#define IR_HOTSPOT_INTERPRETED 0x80000000u

/* The parts of the code cache: blocks of whole segments. */
struct ir_hotspot_heaps {
	unsigned long long start[IR_HOTSPOT_HEAPS];	/* runtime address of the first segment */
	/* Runtime address of a byte for each segment: how many before it its block begins, at most. */
	unsigned long long segments[IR_HOTSPOT_HEAPS];
	unsigned int bytes[IR_HOTSPOT_HEAPS];	/* reserved for it; 0: there is no such heap */
};

/* Where the machine keeps what. Offsets in bytes. All zero where there is none. */
struct ir_hotspot_state {
	struct ir_hotspot_heaps heaps;
	unsigned long long call_stub;	/* runtime address to which calls from native code return */
	unsigned long long continuation;/* and what runs on a virtual thread, in the end; 0: not known */
	unsigned short present;		/* 1 where the process runs HotSpot */
	unsigned char segment_shift;	/* a segment is so many bytes, a power of two */
	unsigned char block_header;	/* before the CodeBlob in a block */
	unsigned short name;		/* in a CodeBlob: the address of its name */
	unsigned short frame_words;	/* in a CodeBlob: 8 bytes each, with the return address; an int */
	unsigned short frame_complete;	/* in a CodeBlob: in its code, where the frame is there; a short if it is odd, less 1, else an int */
	unsigned short code;		/* in a CodeBlob: the offset of its code, an int, if it is odd, less 1; else the address */
	unsigned short compile_id;	/* in an nmethod */
	unsigned short const_method;	/* in a Method: its ConstMethod */
	unsigned short code_size;	/* in a ConstMethod: three shorts, bytes of bytecode, and indexes of name and signature */
	unsigned short bytecodes;	/* in a ConstMethod: the first */
	unsigned short bytecode_is_higher;	/* 1 until 8: the address of the bytecode is a word nearer to the frame pointer */
	unsigned short reserved[5];
};
_Static_assert(sizeof(struct ir_hotspot_state) == 128, "HotSpot's state is 128 bytes");
