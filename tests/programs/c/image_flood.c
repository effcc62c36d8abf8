/* Maps as many executable files as an image table may have places, each of them another one, and burns. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "burn.h"
#include "handshake.h"

#define IMAGES 8189

NOIPA uint64_t burn_among_images(void)
{
	return burn_loop(BURN_SHORT);
}

int main(void)
{
	handshake_ready();
	for (int i = 0; i < IMAGES; i++) {
		int file = memfd_create("image", 0);

		if (file < 0 || ftruncate(file, 4096) ||
		    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0) == MAP_FAILED) {
			perror("image");
			return 1;
		}
		close(file);
	}
	while (handshake_running())
		burn_among_images();
	return 0;
}
