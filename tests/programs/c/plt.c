/* Calls a tiny library function through the lazy-binding PLT. Under LD_BIND_NOT each call goes through the resolver. */
#include "burn.h"
#include "handshake.h"

int tiny(int x);

NOIPA int call_through_plt(void)
{
	int sum = 0;

	for (int i = 0; i < 2000; i++)
		sum = tiny(sum);
	KEEP_FRAME();
	return sum;
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		call_through_plt();
	return 0;
}
