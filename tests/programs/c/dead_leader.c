/* The main thread ends, another one works on: what /proc/PID tells is of a thread that is no more. */
#include <pthread.h>

#include "burn.h"
#include "handshake.h"

NOIPA uint64_t survivor_burn(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA void *survivor(void *argument)
{
	while (handshake_running())
		survivor_burn();
	exit(0);
	return argument;
}

int main(void)
{
	pthread_t thread;

	handshake_ready();
	if (pthread_create(&thread, NULL, survivor, NULL))
		return 1;
	pthread_exit(NULL);
}
