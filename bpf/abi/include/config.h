/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What user space tells the kernel side: once before loading, and while it runs. */
#pragma once

enum ir_filter {
	IR_FILTER_NONE = 0,	/* every process */
	IR_FILTER_PIDS = 1,	/* processes in ir_filter_pids, and their descendants */
	IR_FILTER_CGROUPS = 2,	/* cgroups (v2) whose ids are in ir_filter_cgroups, and all below */
};

/* Of a process in ir_filter_pids. */
enum ir_selection {
	IR_SELECTED = 1,
	IR_SELECTED_FROM_EXEC = 2,	/* once it has executed another program: a command before its first instruction is none */
};

/* Constant while loaded: the verifier drops what is switched off. */
struct ir_config {
	unsigned int filter;		/* enum ir_filter */
	unsigned int max_deferred;	/* stack copies that one CPU may send in a second */
	unsigned int self_pid;		/* the profiler's own process */
	unsigned int exclude_self;	/* 1: leave self_pid out */
	/* Of the hashes of stacks, drawn at the start: who knew it could choose frames so that another's stack is shown as his. */
	unsigned long long hash_key;
};
_Static_assert(sizeof(struct ir_config) == 24, "the configuration is 24 bytes");

/* What a sample has to look at before anything else; mostly nothing. */
enum ir_attention {
	IR_PAUSED = 1,		/* take no samples */
	IR_NARROWED = 2,	/* the configuration leaves processes out */
};

/* Changes while running. Every sample reads it. */
struct ir_live {
	unsigned int window;	/* raised at the end of a window: stacks are then sent anew */
	unsigned int attention;	/* enum ir_attention */
	/*
	 * Raised after rows were replaced or an image was removed; with the window, and while pages are evicted, so that
	 * pages in use are marked as used in each.
	 */
	unsigned int tables_epoch;
	/* Raised after what the kernel side knew of a process was replaced or removed. */
	unsigned int processes_epoch;
	unsigned int wake_bytes;/* what one CPU sends before it wakes user space */
};
_Static_assert(sizeof(struct ir_live) == 20, "the live state is 20 bytes");
