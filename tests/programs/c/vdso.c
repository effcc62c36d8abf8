/* Spends its time in the kernel's page of user code. */
#include <time.h>

#include "burn.h"
#include "handshake.h"

NOIPA long read_clock(void)
{
	struct timespec t;
	long sum = 0;

	for (int i = 0; i < 20000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		sum += t.tv_nsec;
	}
	KEEP_FRAME();
	return sum;
}

int main(void)
{
	handshake_ready();
	while (handshake_running())
		read_clock();
	return 0;
}
