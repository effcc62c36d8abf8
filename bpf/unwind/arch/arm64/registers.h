/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DWARF register numbers of arm64 (DWARF for the Arm 64-bit architecture, section 4.1), and where struct ir_registers
 * keeps them: x16 to x30 and sp, by their number modulo 16. Unwind rules at call sites need no others.
 */
#pragma once

#define IR_ARM64_FIRST_KEPT 16
#define IR_ARM64_KEPT(number) ((number) & 15)

enum ir_arm64_register {
	IR_FP = IR_ARM64_KEPT(29),	/* x29 */
	IR_LR = IR_ARM64_KEPT(30),	/* x30, the link register */
	IR_SP = IR_ARM64_KEPT(31),
};

#define IR_ARCH_SP IR_SP
#define IR_ARCH_FP IR_FP

/*
 * Return addresses may carry an authentication code above the 48 bits of a user address (Arm ARM, D8.10). Addresses of
 * more bits are given only to who asks for them.
 */
#define IR_ARM64_ADDRESS_MASK ((1ULL << 48) - 1)
