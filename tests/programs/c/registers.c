/* Calls functions whose frames are told by a register that their callees may change. */
#include "burn.h"
#include "handshake.h"

void with_cfa_in_register(uint64_t iterations);
void with_cfa_in_lost_register(uint64_t iterations);

NOIPA void call_with_register(void)
{
	with_cfa_in_register(BURN_SHORT);
	KEEP_FRAME();
}

NOIPA void call_with_lost_register(void)
{
	with_cfa_in_lost_register(BURN_SHORT);
	KEEP_FRAME();
}

int main(void)
{
	handshake_ready();
	while (handshake_running()) {
		call_with_register();
		call_with_lost_register();
	}
	return 0;
}
