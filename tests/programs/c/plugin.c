/* A library that is loaded while its process is already being sampled. */
#include "burn.h"

NOIPA uint64_t plugin_burn(void)
{
	return burn_loop(BURN_SHORT);
}

NOIPA uint64_t plugin_entry(uint64_t (*callback)(void))
{
	uint64_t r = plugin_burn() ^ callback();

	KEEP_FRAME();
	return r;
}
