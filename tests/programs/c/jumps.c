/* Leaves frames without returning from them. */
#include <setjmp.h>

#include "burn.h"
#include "handshake.h"

static jmp_buf back;

NOIPA uint64_t burn_before_jump(void)
{
	uint64_t r = burn_loop(BURN_SHORT);

	if (r)
		longjmp(back, 1);
	return r;
}

NOIPA uint64_t dig(int left)
{
	uint64_t r = left ? dig(left - 1) : burn_before_jump();

	KEEP_FRAME();
	return r;
}

NOIPA uint64_t burn_after_jump(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA void jump_around(void)
{
	if (setjmp(back) == 0)
		dig(7);
	burn_after_jump();
	KEEP_FRAME();
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		jump_around();
	return 0;
}
