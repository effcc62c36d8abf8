/* Maps and unmaps executable memory without end, and burns between. */
#include <sys/mman.h>

#include "burn.h"
#include "handshake.h"

NOIPA void map_and_unmap(void)
{
	for (int i = 0; i < 100; i++) {
		void *page = mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (page != MAP_FAILED)
			munmap(page, 65536);
	}
}

NOIPA uint64_t burn_between(void)
{
	return burn_loop(BURN_SHORT);
}

int main(void)
{
	handshake_ready();
	while (handshake_running()) {
		map_and_unmap();
		burn_between();
	}
	return 0;
}
