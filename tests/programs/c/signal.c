/* A signal handler burns on top of whatever it interrupted: on the same stack, or with an argument on one of its own. */
#include <signal.h>
#include <sys/time.h>

#include "burn.h"
#include "handshake.h"

static volatile sig_atomic_t sink;

NOIPA uint64_t burn_in_handler(void)
{
	return burn_loop(4 * BURN_SHORT);
}

NOIPA void on_signal(int number)
{
	sink = (sig_atomic_t)burn_in_handler() + number;
	KEEP_FRAME();
}

NOIPA uint64_t interrupted(void)
{
	return burn_loop(10 * BURN_SHORT);
}

int main(int argc, char **argv)
{
	static char own_stack[65536];
	stack_t stack = { .ss_sp = own_stack, .ss_size = sizeof own_stack };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 8000 }, { 0, 8000 } };

	(void)argv;
	if (argc > 1) {
		sigaltstack(&stack, NULL);
		action.sa_flags |= SA_ONSTACK;
	}
	handshake_ready();
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	while (handshake_running())
		interrupted();
	return 0;
}
