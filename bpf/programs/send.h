/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records on their way to user space. */
#pragma once

#include "maps.h"

extern volatile struct ir_live ir_live;

/* Sends a record. Wakes user space if that is urgent, or if this CPU has sent much since it last did. false if it is lost. */
IR_INLINE bool send(struct ir_cpu *cpu, void *record, u64 size, bool urgent)
{
	u64 flags = BPF_RB_NO_WAKEUP;

	cpu->quiet_bytes += size;
	if (urgent || cpu->quiet_bytes > ir_live.wake_bytes) {
		cpu->quiet_bytes = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	return bpf_ringbuf_output(&ir_records, record, size, flags) == 0;
}
