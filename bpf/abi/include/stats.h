/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counters of the kernel side. One list makes the C enum, the Rust names and the help text. */
#pragma once

/* X(NAME, "name", "help") */
#define IR_STATS(X)                                                                                           \
	X(SAMPLES, "samples_taken", "timer samples of busy CPUs that passed the filter")                       \
	X(FILTERED, "samples_filtered", "timer samples of processes that the user left out")                   \
	X(LOST_RING_FULL, "samples_lost_ring_full", "samples lost because the ring buffer was full")            \
	X(LOST_STACK, "stacks_lost_ring_full", "samples whose kernel stack could not be sent: the ring was full")      \
	X(DEFERRED, "samples_deferred", "samples sent with a copy of the stack, to be unwound in user space")     \
	X(USER_FRAMES, "user_frames", "user frames unwound in the kernel")                                      \
	X(USER_STACKS, "user_stacks", "user stacks unwound in the kernel")                                      \
	X(KERNEL_FRAMES, "kernel_frames", "kernel frames")                                                     \
	X(STACKS_SENT, "stacks_sent", "stacks sent to user space")                                             \
	X(UNCOPIED, "samples_uncopied", "samples that user space could have unwound, but for too many of them")          \
	X(LOST_ENVIRONMENT, "environments_lost", "environments at exec that were not sent: unreadable, too many or the ring was full") \
	X(LOST_SELECTION, "selections_lost", "children of selected processes that are not sampled: too many are selected")

enum ir_stat {
#define IR_STAT_ENUM(name, text, help) IR_STAT_##name,
	IR_STATS(IR_STAT_ENUM)
#undef IR_STAT_ENUM
	IR_STAT_COUNT,
};
