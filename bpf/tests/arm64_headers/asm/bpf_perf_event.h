/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The user registers that arm64 shows to perf_event programs, for machines without that architecture's headers. */
#pragma once

struct user_pt_regs {
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
};

typedef struct user_pt_regs bpf_user_pt_regs_t;
