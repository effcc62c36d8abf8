/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* DWARF register numbers of x86_64 (System V ABI, AMD64 supplement, figure 3.36). */
#pragma once

enum ir_x86_register {
	IR_RAX = 0,
	IR_RDX = 1,
	IR_RCX = 2,
	IR_RBX = 3,
	IR_RSI = 4,
	IR_RDI = 5,
	IR_RBP = 6,
	IR_RSP = 7,
	IR_R8 = 8,
	IR_R9 = 9,
	IR_R10 = 10,
	IR_R11 = 11,
	IR_R12 = 12,
	IR_R13 = 13,
	IR_R14 = 14,
	IR_R15 = 15,
};

#define IR_ARCH_SP IR_RSP
#define IR_ARCH_FP IR_RBP
