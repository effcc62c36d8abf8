/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What user space tells of a process that runs Go. Parses alone, as the headers of abi/include do. */
#pragma once

/* Where the Go runtime of a process keeps its goroutine state; all zero where there is none. */
struct ir_go_state {
	int g_tls_offset;		/* of the g pointer from the thread pointer, bytes, negative on x86_64 */
	unsigned short g_m;		/* g.m */
	unsigned short m_curg;		/* m.curg */
	unsigned short g_sched_sp;	/* g.sched.sp */
	unsigned short g_sched_pc;	/* g.sched.pc */
	unsigned short g_sched_bp;	/* g.sched.bp */
	unsigned short present;		/* 1 where the process runs Go */
};
_Static_assert(sizeof(struct ir_go_state) == 16, "Go's state is 16 bytes");

/* In cfa_offset of Go's rules. */
enum ir_go_operation {
	/* runtime.systemstack: continue on the goroutine; return address at *(g.m.curg.sched.sp). */
	IR_GO_SYSTEMSTACK = 1,
	/* runtime.morestack: continue at g.m.curg.sched.{pc,sp}. */
	IR_GO_MORESTACK = 2,
};
