/*
 * Lives for 30 ms of CPU time, or as many as its argument says, with no handshake: by the time a sample is read it may
 * be gone.
 */
#include <stdlib.h>
#include <time.h>

#include "burn.h"

NOIPA uint64_t brief_burn(void)
{
	return burn_loop(BURN_SHORT / 4);
}

NOIPA int brief_life(long ns)
{
	struct timespec cpu;

	do {
		brief_burn();
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	} while (cpu.tv_sec * 1000000000 + cpu.tv_nsec < ns);
	return 0;
}

int main(int argc, char **argv)
{
	int r = brief_life((argc > 1 ? atol(argv[1]) : 30) * 1000000);

	KEEP_FRAME();
	return r;
}
