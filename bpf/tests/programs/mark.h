/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Marks the stretch of a program in which a test compares every instruction, by a no-op of its own before and after. */
#pragma once

#define MARK()	 __asm__ volatile("nopl 0x4d41524b(%rax,%rax)")
#define NOINLINE __attribute__((noinline, noclone))

/* Uses a value behind the compiler's back: what computes it stays, and no call becomes a jump. */
#define KEEP(value) __asm__ volatile("" : "+r"(value) : : "memory")
