/* Loads the library named by its argument after the sampling has begun, and burns in it and below it. */
#include <dlfcn.h>

#include "burn.h"
#include "handshake.h"

NOIPA uint64_t called_back(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA void use_plugin(uint64_t (*entry)(uint64_t (*)(void)))
{
	entry(called_back);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	uint64_t (*entry)(uint64_t (*)(void));
	void *library;

	if (argc < 2)
		return 2;
	handshake_ready();
	library = dlopen(argv[1], RTLD_NOW);
	if (!library)
		return 1;
	*(void **)&entry = dlsym(library, "plugin_entry");
	while (entry && handshake_running())
		use_plugin(entry);
	return 0;
}
