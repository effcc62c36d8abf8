/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The caller of a frame in code that nothing describes: by the frame pointer. */
#pragma once

#include "apply.h"

/* The caller, where nothing is known of the code. A leaf whose return address is still in lr is passed over. */
IR_INLINE void ir_step_guess(struct ir_walk *walk)
{
	ir_step_frame_pointer(walk, false);
}
