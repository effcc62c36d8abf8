/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the unwinder needs of its surroundings. In the kernel: BPF maps and helpers (programs/platform_bpf.h). On the
 * host: callbacks over captured memory and tables (host/platform_host.h). The algorithms are the same source.
 *
 *   bool ir_read_user(void *destination, u32 size, u64 address)        false if any byte is unreadable
 *   const struct ir_mapping *ir_mapping_slab(walk, u32 slab)           IR_MAPPING_SLAB_SIZE entries, or NULL
 *   const struct ir_row *ir_row_slab(walk, u32 slab)                   IR_SLAB_ROWS rows, or NULL
 *   struct ir_page *ir_page_find(walk, const struct ir_page_key *key)  or NULL
 *   const struct ir_rule *ir_rule_at(walk, u32 index)                  or NULL
 *   struct ir_known_rules *ir_known_rules(walk)                        rules at hand, or NULL: none are kept
 *   const struct ir_runtime_states *ir_states_of_runtimes(walk)        of the walk's process, or NULL
 *   int ir_fetch_registers(walk)                                       of the first frame, where IR_MORE_REGISTERS says so
 *   u64 ir_thread_pointer(walk)
 *   u64 ir_original_return(walk, u64 slot)                             what a uretprobe has replaced there, or 0
 *   s64 ir_noted_call(u64 slot, u64 after)                             the enum ir_call that came with a copy; negative: read the code
 *   s64 ir_noted_frame(u64 sp)                                         what the function at that stack pointer keeps, likewise
 */
#pragma once

#ifdef IR_HOST
#include "../host/platform_host.h"
#else
#include "../programs/platform_bpf.h"
#endif
