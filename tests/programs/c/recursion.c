/* A function that calls itself 400 deep before it burns. */
#include "burn.h"
#include "handshake.h"

NOIPA uint64_t burn_at_bottom(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA uint64_t descend(int left)
{
	volatile uint64_t frame[2] = { (uint64_t)left, 0 };
	uint64_t r = left > 1 ? descend(left - 1) : burn_at_bottom();

	KEEP_FRAME();
	return r ^ frame[0];
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		descend(400);
	return 0;
}
