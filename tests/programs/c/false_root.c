/* Works in a function whose return address, the outermost of the stack, leads to no code at all. */
#include "burn.h"
#include "handshake.h"

NOIPA uint64_t burn_on_nothing(void)
{
	return burn_loop(BURN_SHORT);
}

static NOIPA void called_by_nobody(void)
{
	while (handshake_running())
		burn_on_nothing();
	_exit(0);
}

int main(void)
{
	handshake_ready();
	/* The address is that of a page which the kernel maps for nobody: vm.mmap_min_addr. */
	__asm__ volatile("and $-16, %%rsp\n\t"
			 "push %0\n\t"
			 "jmp *%1"
			 :
			 : "r"(0x1234UL), "r"(called_by_nobody)
			 : "memory");
	__builtin_unreachable();
}
