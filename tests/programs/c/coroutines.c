/* Stacks that the program makes for itself: their entry is makecontext's, not a thread's. */
#include <ucontext.h>

#include "burn.h"
#include "handshake.h"

static ucontext_t scheduler, coroutines[2];
static char stacks[2][65536];

NOIPA uint64_t burn_in_coroutine(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA void coroutine(int index)
{
	for (;;) {
		burn_in_coroutine();
		swapcontext(&coroutines[index], &scheduler);
	}
}

int main(void)
{
	for (int i = 0; i < 2; i++) {
		getcontext(&coroutines[i]);
		coroutines[i].uc_stack.ss_sp = stacks[i];
		coroutines[i].uc_stack.ss_size = sizeof stacks[i];
		coroutines[i].uc_link = &scheduler;
		makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
	}
	handshake_ready();
	for (int i = 0; handshake_running(); i = !i)
		swapcontext(&scheduler, &coroutines[i]);
	return 0;
}
