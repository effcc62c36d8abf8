/* Loads the libraries that its arguments name, and works beneath a function of each in turn. */
#include <dlfcn.h>
#include <string.h>

#include "burn.h"
#include "handshake.h"

#define MOST 512

NOIPA uint64_t burn_beneath_library(void)
{
	return burn_loop(BURN_SHORT);
}

int main(int argc, char **argv)
{
	uint64_t (*entries[MOST])(uint64_t (*)(void));
	int count = argc - 1;

	if (count < 1 || count > MOST)
		return 2;
	for (int i = 0; i < count; i++) {
		void *library = dlopen(argv[i + 1], RTLD_NOW | RTLD_LOCAL);
		void *entry = library ? dlsym(library, "through_library") : NULL;

		if (!entry)
			return 1;
		memcpy(&entries[i], &entry, sizeof entry);
	}
	handshake_ready();
	for (int i = 0; handshake_running(); i = (i + 1) % count)
		entries[i](burn_beneath_library);
	return 0;
}
