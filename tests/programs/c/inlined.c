/* Functions that exist in the debug information only. */
#include "burn.h"
#include "handshake.h"

static inline __attribute__((always_inline)) uint64_t inlined_leaf(uint64_t n)
{
	return burn_loop(n);
}

static inline __attribute__((always_inline)) uint64_t inlined_middle(uint64_t n)
{
	return inlined_leaf(n) ^ 3;
}

NOIPA uint64_t real_function(uint64_t n)
{
	return inlined_middle(n) + 1;
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		real_function(BURN_SHORT);
	return 0;
}
