/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "platform_host.h"

/*
 * Walks the stack from walk->registers, walk->valid, walk->return_address and walk->process on; what an earlier walk left
 * in the rest does not matter. Leaves the frames, the stop reason and the
 * stack's hash in *walk; walk->sample.pid is whose stack it is.
 */
void ir_host_unwind(struct ir_host *host, struct ir_walk *walk);
