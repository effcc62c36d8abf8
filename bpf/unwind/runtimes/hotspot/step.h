/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * HotSpot's frames: code that it makes (methods compiled by C1 and C2, wrappers of native methods, stubs), and methods that its
 * interpreter runs. Each block of the code cache begins with a CodeBlob, which says how large its frames are. Layouts are those of
 * src/hotspot/share/code and src/hotspot/cpu/x86/frame_x86.hpp; what lies where is in the state (crates/runtimes/src/hotspot).
 */
#pragma once

#include "../../platform.h"
#include "../../walk.h"
#include "progress.h"

/* Beginnings of the names of CodeBlobs. */
#define IR_HOTSPOT_NMETHOD     0x00646f6874656d6eULL	/* "nmethod" */
#define IR_HOTSPOT_NATIVE      0x6e2065766974616eULL	/* "native nmethod" */
#define IR_HOTSPOT_INTERPRETER 0x6572707265746e49ULL	/* "Interpreter" */
#define IR_HOTSPOT_STUBS       0x74756f5262757453ULL	/* "StubRoutines …" */
#define IR_HOTSPOT_VTABLE      0x6320656c62617476ULL	/* "vtable chunks" */
#define IR_HOTSPOT_ADAPTER     0x204932432f433249ULL	/* "I2C/C2I adapters" */
#define IR_HOTSPOT_HANDLE      0x6148646f6874654dULL	/* "MethodHandles adapters" */

/* In the map of segments: nothing begins before it. */
#define IR_HOTSPOT_FREE 0xff
/* 254 segments each: a block of 500 KiB. The largest is the interpreter, of some 300. */
#define IR_HOTSPOT_HOPS 16

/* An interpreted frame, around its frame pointer, which is where caller_fp is: frame_x86.hpp. */
struct ir_hotspot_frame {
	u64 bytecode;
	u64 bytecode_until_8;	/* since 9, the locals */
	u64 between[3];
	u64 method;
	u64 last_sp;
	u64 sender_sp;
	u64 caller_fp;
	u64 return_address;
};
/* No interpreted frame has more locals and expressions. */
#define IR_HOTSPOT_FRAME_BYTES (1u << 20)

/* x86_64: where the interpreter has the address of the bytecode that it runs. */
#define IR_HOTSPOT_BCP 13

struct ir_hotspot_blob {
	u64 start;
	u64 name;		/* its first eight bytes */
	s32 frame_words;	/* 0 or less: its code has no frame, or makes its own */
};

/* The beginning of the name at an address. Most frames are of compiled methods, which share one. */
IR_INLINE bool ir_hotspot_read_name(struct ir_walk *walk, u64 address, u64 *name)
{
	*name = IR_HOTSPOT_NMETHOD;
	if (walk->hotspot_nmethod == address && walk->hotspot_run == walk->process.run)
		return true;
	if (!ir_read_user(name, sizeof(*name), address))
		return false;
	if (*name == IR_HOTSPOT_NMETHOD) {
		walk->hotspot_nmethod = address;
		walk->hotspot_run = walk->process.run;
	}
	return true;
}

/* The CodeBlob whose code is at pc; 0: there is none. */
IR_GLOBAL u64 ir_hotspot_find(const struct ir_hotspot_state *jvm, u64 pc)
{
	if (!jvm)
		return 0;
	u32 shift = jvm->segment_shift & 31;
	u64 segments = 0, start = 0, segment = 0;

	IR_KEEP_LOOP for (u32 i = 0; i < IR_HOTSPOT_HEAPS; i++) {
		if (pc - jvm->heaps.start[i] < jvm->heaps.bytes[i]) {
			start = jvm->heaps.start[i];
			segments = jvm->heaps.segments[i];
			segment = (pc - start) >> shift;
		}
	}
	if (!segments)
		return 0;
	IR_KEEP_LOOP for (u32 hop = 0; hop < IR_HOTSPOT_HOPS; hop++) {
		u8 back;

		if (!ir_read_user(&back, sizeof(back), segments + segment) || back == IR_HOTSPOT_FREE)
			return 0;
		if (back == 0)
			return start + (segment << shift) + jvm->block_header;
		segment -= back;
	}
	return 0;
}

IR_INLINE bool ir_hotspot_read_blob(struct ir_walk *walk, struct ir_hotspot_blob *blob, const struct ir_hotspot_state *jvm, u64 pc)
{
	blob->start = ir_hotspot_find(jvm, pc);
	if (!blob->start || !ir_read_user(walk->hotspot_blob, sizeof(walk->hotspot_blob), blob->start))
		return false;
	const s32 *halves = (const s32 *)walk->hotspot_blob;

	blob->frame_words = halves[jvm->frame_words / 4 & (IR_HOTSPOT_BLOB_WORDS * 2 - 1)];
	return ir_hotspot_read_name(walk, walk->hotspot_blob[jvm->name / 8 & (IR_HOTSPOT_BLOB_WORDS - 1)], &blob->name);
}

/* The index of the bytecode that a frame runs; 0 where that is not known. */
IR_INLINE u32 ir_hotspot_bytecode(struct ir_walk *walk, u64 saved, u64 first, u32 size)
{
	/* The innermost one has it in a register, and what it has saved is from its last call. */
	if (!walk->return_address) {
		if (walk->valid & IR_MORE_REGISTERS)
			ir_fetch_registers(walk);
		if ((walk->valid >> IR_HOTSPOT_BCP) & 1 && walk->registers.general[IR_HOTSPOT_BCP] - first < size)
			saved = walk->registers.general[IR_HOTSPOT_BCP];
	}
	return saved - first < size ? (u32)(saved - first) : 0;
}

/* A method that the interpreter runs. false: there is no frame of one. */
IR_INLINE bool ir_hotspot_interpreted(struct ir_walk *walk, const struct ir_hotspot_state *jvm)
{
	u64 fp = walk->registers.general[IR_ARCH_FP], sp = walk->registers.general[IR_ARCH_SP];
	struct ir_hotspot_frame frame;
	u64 const_method;
	struct {
		u16 code_size, name, signature;
	} told;

	if (!((walk->valid >> IR_ARCH_FP) & 1) || fp < sp || fp - sp > IR_HOTSPOT_FRAME_BYTES || (fp & 7) ||
	    !ir_read_user(&frame, sizeof(frame), fp - __builtin_offsetof(struct ir_hotspot_frame, caller_fp)) ||
	    frame.sender_sp <= fp || frame.sender_sp - fp > IR_HOTSPOT_FRAME_BYTES ||
	    !ir_read_user(&const_method, sizeof(const_method), frame.method + jvm->const_method) ||
	    !ir_read_user(&told, sizeof(told), const_method + jvm->code_size))
		return false;
	u64 bytecode = jvm->bytecode_is_higher ? frame.bytecode_until_8 : frame.bytecode;
	u32 index = ir_hotspot_bytecode(walk, bytecode, const_method + jvm->bytecodes, told.code_size);
	u64 check = ir_hash_mix(const_method, told.code_size | (u64)told.name << 16 | (u64)told.signature << 32);

	ir_walk_push_made(walk, ir_frame_place(frame.method, IR_RUNTIME_HOT_SPOT, 0), (u32)(check >> 32),
			   IR_HOTSPOT_INTERPRETED | index);
	walk->registers.pc = frame.return_address;
	/* What has called it compiled has its frame beneath the arguments, which were put elsewhere. */
	walk->registers.general[IR_ARCH_SP] = frame.sender_sp;
	walk->registers.general[IR_ARCH_FP] = frame.caller_fp;
	walk->valid = (1u << IR_ARCH_SP) | (1u << IR_ARCH_FP);
	walk->return_address = 1;
	return true;
}

/* Words that the code of a method may have pushed beside its frame, for a while. */
#define IR_HOTSPOT_PUSHED_WORDS 2

/*
 * Where the frame of the innermost method ends: some of what C2 puts in place of calls (String.compareTo) keeps a word below the frame. All
 * callers of compiled methods are in the code cache.
 */
IR_GLOBAL u64 ir_hotspot_frame_end(const struct ir_hotspot_state *jvm, u64 end)
{
	u64 address;

	if (!jvm)
		return end;
	IR_KEEP_LOOP for (u32 word = 0; word <= IR_HOTSPOT_PUSHED_WORDS; word++) {
		if (!ir_read_user(&address, sizeof(address), end + word * 8 - 8))
			break;
		if (ir_hotspot_find(jvm, address))
			return end + word * 8;
	}
	return end;
}

/* From a frame of a known size, or of code that has none, to its caller. */
IR_INLINE void ir_hotspot_leave(struct ir_walk *walk, const struct ir_hotspot_state *jvm, const struct ir_hotspot_blob *blob)
{
	struct ir_rule rule = { .fp_slot = IR_SLOT_SAME, .rbx_slot = IR_SLOT_UNDEFINED, .ra_slot = -1 };
	int progress = blob->frame_words > 0 ? ir_hotspot_progress(walk, jvm, blob->start) : IR_HOTSPOT_ENTERED;
	u64 bytes = 8;

	if (progress == IR_HOTSPOT_BUILT || progress == IR_HOTSPOT_PUSHED)
		rule.fp_slot = -2;
	if (progress == IR_HOTSPOT_PUSHED)
		bytes = 16;
	else if (progress != IR_HOTSPOT_ENTERED)
		bytes = (u64)(u32)blob->frame_words * 8;
	u64 cfa = walk->registers.general[IR_ARCH_SP] + bytes;

	if (progress == IR_HOTSPOT_BUILT && !walk->return_address)
		cfa = ir_hotspot_frame_end(jvm, cfa);
	ir_step_to_caller(walk, &rule, cfa);
}

/*
 * Where the innermost frames of a virtual thread return to, as long as the others are in the heap: the beginning of a stub, which no call
 * is before. The frame that entered the thread is at sp; what is between is said by the stub's name.
 */
IR_INLINE bool ir_hotspot_is_barrier(struct ir_walk *walk, const struct ir_hotspot_state *jvm, u64 name)
{
	u64 pc = walk->registers.pc, slot = walk->registers.general[IR_ARCH_SP] - 8;

	return name == IR_HOTSPOT_STUBS && jvm->continuation && walk->return_address &&
	       ir_call_before(slot, pc) == IR_CALL_NONE;
}

/*
 * Code on the way from a call to the method: it has no frame, and the return address is at sp. For some instructions an adapter has it
 * in a register: what is at sp then is no code, and the stack is cut.
 */
IR_INLINE bool ir_hotspot_is_passage(u64 name)
{
	return name == IR_HOTSPOT_VTABLE || name == IR_HOTSPOT_ADAPTER || name == IR_HOTSPOT_HANDLE;
}

/* Words that a stub without a frame may have pushed: none, rbp, or the four of C1's check of subtypes. */
#define IR_HOTSPOT_STUB_WORDS 4

/* Whether the return address in a word of the stack is of a call into this blob. */
IR_INLINE bool ir_hotspot_is_call_of(const struct ir_hotspot_state *jvm, u64 blob, u64 slot)
{
	/* mov $target, %r10; call *%r10: what C2 makes of calls of stubs */
	struct {
		u16 move;
		u64 target;
		u16 call;
		u8 operand;
	} __attribute__((packed)) code;
	u64 after, target;

	if (!ir_read_user(&after, sizeof(after), slot) || !ir_read_user(&code, sizeof(code), after - sizeof(code)))
		return false;
	target = code.target;
	if (code.move != 0xba49 || code.call != 0xff41 || code.operand != 0xd2)
		target = ir_call_before(slot, after);
	return ir_hotspot_find(jvm, target) == blob;
}

/*
 * From a stub to its caller. Nothing says what frame it has: most set rbp, some have none. A return address behind a call into the stub's own
 * blob is its; where rbp is still its caller's it leads to a call of that. 0: neither is.
 */
IR_GLOBAL int ir_hotspot_leave_stub(struct ir_walk *walk, const struct ir_hotspot_state *jvm, u64 blob)
{
	if (!walk || !jvm)
		return 0;
	struct ir_rule rule = { .fp_slot = IR_SLOT_SAME, .rbx_slot = IR_SLOT_UNDEFINED, .ra_slot = -1 };
	u64 sp = walk->registers.general[IR_ARCH_SP], fp = walk->registers.general[IR_ARCH_FP], cfa = 0;

	if (((walk->valid >> IR_ARCH_FP) & 1) && fp >= sp && fp - sp < IR_HOTSPOT_FRAME_BYTES && ir_hotspot_is_call_of(jvm, blob, fp + 8)) {
		rule.fp_slot = -2;
		cfa = fp + 16;
	} else if (!walk->return_address) {
		/* What it has pushed so far, rbp among it or not, is still in its register. */
		IR_KEEP_LOOP for (u32 word = 0; word <= IR_HOTSPOT_STUB_WORDS && !cfa; word += word ? IR_HOTSPOT_STUB_WORDS - 1 : 1)
			if (ir_hotspot_is_call_of(jvm, blob, sp + word * 8))
				cfa = sp + word * 8 + 8;
	}
	if (cfa)
		ir_step_to_caller(walk, &rule, cfa);
	return cfa != 0;
}

/* A frame at a pc outside all images. false: it is none of HotSpot's. */
IR_INLINE bool ir_hotspot_step(struct ir_walk *walk, const struct ir_hotspot_state *jvm)
{
	u64 pc = walk->registers.pc;
	struct ir_hotspot_blob blob;
	u32 check = 0;

	if (!ir_hotspot_read_blob(walk, &blob, jvm, pc - walk->return_address))
		return false;
	if (blob.name == IR_HOTSPOT_INTERPRETER && ir_hotspot_interpreted(walk, jvm))
		return true;
	if ((blob.name == IR_HOTSPOT_NMETHOD || blob.name == IR_HOTSPOT_NATIVE) &&
	    !ir_read_user(&check, sizeof(check), blob.start + jvm->compile_id))
		return false;
	ir_walk_push_made(walk, ir_frame_place(blob.start, IR_RUNTIME_HOT_SPOT, 0), check,
			   (u32)(pc - blob.start) & ~IR_HOTSPOT_INTERPRETED);
	if (walk->done)
		return true;
	if (blob.frame_words > 0 || (!walk->return_address && ir_hotspot_is_passage(blob.name))) {
		ir_hotspot_leave(walk, jvm, &blob);
	} else if (pc == jvm->call_stub) {
		ir_step_frame_pointer(walk, false);
	} else if (ir_hotspot_is_barrier(walk, jvm, blob.name)) {
		walk->registers.pc = jvm->continuation;
	} else if (!ir_hotspot_leave_stub(walk, jvm, blob.start)) {
		ir_walk_doubt(walk);
		ir_step_out_of_jit(walk);
	}
	return true;
}
