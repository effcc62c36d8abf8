/* Calls code that no unwind information describes. */
#include "burn.h"
#include "handshake.h"

void without_cfi(uint64_t iterations);

NOIPA void call_assembly(void)
{
	without_cfi(BURN_SHORT);
	KEEP_FRAME();
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		call_assembly();
	return 0;
}
