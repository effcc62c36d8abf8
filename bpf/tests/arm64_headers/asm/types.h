/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* arm64 has the generic one. */
#include <asm-generic/types.h>
