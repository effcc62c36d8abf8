/* Work that cannot be folded, cloned or tail-called away. */
#pragma once
#include <stdint.h>

#define NOIPA __attribute__((noipa))

/* Put after a call, so that it is not in tail position. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* About half a millisecond on a current machine. */
#define BURN_SHORT 400000u

static inline uint64_t burn_step(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static inline __attribute__((always_inline)) uint64_t burn_loop(uint64_t iterations)
{
	uint64_t x = iterations | 1;

	for (uint64_t i = 0; i < iterations; i++) {
		x = burn_step(x);
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}
