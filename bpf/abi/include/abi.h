/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Everything that the kernel side and user space share. Parses alone: plain C types, no kernel headers. */
#pragma once

#include "config.h"
#include "process.h"
#include "runtimes.h"
#include "sample.h"
#include "stats.h"
#include "stop_reason.h"
#include "unwind_table.h"
