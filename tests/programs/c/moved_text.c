/* Moves its code to memory without a file, at the same addresses, as programs do that want it on huge pages. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "burn.h"
#include "handshake.h"

NOIPA uint64_t moved_burn(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA uint64_t moved_caller(void)
{
	uint64_t r = moved_burn();

	KEEP_FRAME();
	return r;
}

static int move_text(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uintptr_t here = (uintptr_t)move_text, start = 0, end = 0;
	char line[512];

	while (maps && fgets(line, sizeof line, maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= here && here < to) {
			start = from;
			end = to;
		}
	}
	if (maps)
		fclose(maps);
	void *copy = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!end || copy == MAP_FAILED)
		return -1;
	memcpy(copy, (void *)start, end - start);
	/* Between the two calls nothing of this program runs but what was copied. */
	if (mprotect(copy, end - start, PROT_READ | PROT_EXEC))
		return -1;
	return mremap(copy, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED;
}

int main(void)
{
	if (move_text())
		return 1;
	handshake_ready();
	while (handshake_running())
		moved_caller();
	return 0;
}
