/*
 * Code made at run time, in memory with no file behind it: a frame-pointer frame that calls back into C, and a loop
 * of its own. With an argument it is announced in /tmp/perf-PID.map.
 */
#include <string.h>
#include <sys/mman.h>

#include "burn.h"
#include "handshake.h"

NOIPA uint64_t burn_under_jit(void)
{
	return burn_loop(BURN_SHORT);
}

/*
 * push rbp; mov rbp, rsp; push rbx; sub rsp, 8; mov eax, COUNT
 * loop: dec eax; jnz loop
 * call rdi; add rsp, 8; pop rbx; pop rbp; ret
 */
static const unsigned char code[] = {
	0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x83, 0xec, 0x08, 0xb8, 0x00, 0x00, 0x10, 0x00, 0xff, 0xc8, 0x75, 0xfc,
	0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x5d, 0xc3,
};

NOIPA uint64_t run_jit(uint64_t (*entry)(uint64_t (*)(void)))
{
	uint64_t r = entry(burn_under_jit);

	KEEP_FRAME();
	return r;
}

static int announce(const void *at)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
	map = fopen(path, "w");
	if (!map)
		return 1;
	fprintf(map, "%lx %zx jitted_loop\n", (unsigned long)at, sizeof code);
	return fclose(map);
}

static void forget(void)
{
	char path[64];

	snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
	unlink(path);
}

int main(int argc, char **argv)
{
	uint64_t (*entry)(uint64_t (*)(void));
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	if (page == MAP_FAILED)
		return 1;
	memcpy(page, code, sizeof code);
	memcpy(&entry, &page, sizeof entry);
	if (argc > 1 && announce(page))
		return 1;
	handshake_ready();
	while (handshake_running())
		run_jit(entry);
	handshake_done();
	if (argc > 1)
		forget();
	return 0;
}
