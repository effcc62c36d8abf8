/* Burns two calls below main, and in a second thread where it can have one. Built static, static-pie, with musl, and
 * run from places that the profiler does not share: a chroot, a mount namespace, a deleted or replaced file, a memfd, a file
 * system of another user's. */
#include <pthread.h>

#include "burn.h"
#include "handshake.h"

static volatile int stopped;

#ifdef UNREAD_TABLE
/* Between what is read and the unwind information: more than is read ahead. */
const char unread_table[4 << 20] = { 1 };
#endif

NOIPA uint64_t simple_burn(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA uint64_t simple_caller(void)
{
	uint64_t r = simple_burn();

	KEEP_FRAME();
	return r;
}

NOIPA uint64_t thread_burn(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA void *thread_main(void *argument)
{
	while (!stopped)
		thread_burn();
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	(void)argv;
	handshake_ready();
	if (argc > 1 && pthread_create(&thread, NULL, thread_main, NULL))
		return 1;
	while (handshake_running())
		simple_caller();
	stopped = 1;
	if (argc > 1)
		pthread_join(thread, NULL);
	return 0;
}
