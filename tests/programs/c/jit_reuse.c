/*
 * Memory of a JIT compiler that is used again: what stands at one place is called alpha for two seconds, beta for two, and
 * alpha from then on, as /tmp/perf-PID.map says. Whom it calls tells which of the two it is.
 */
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "burn.h"
#include "handshake.h"

#define TURN_SECONDS 2
#define TURNS 3

NOIPA uint64_t burn_under_alpha(void)
{
	uint64_t r = burn_loop(BURN_SHORT);

	KEEP_FRAME();
	return r;
}

NOIPA uint64_t burn_under_beta(void)
{
	uint64_t r = burn_loop(BURN_SHORT);

	KEEP_FRAME();
	return r;
}

/* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

static char path[64];

static int announce(const void *at, const char *name)
{
	FILE *map = fopen(path, "a");

	if (!map)
		return 1;
	fprintf(map, "%lx %zx %s\n", (unsigned long)at, sizeof code, name);
	return fclose(map);
}

int main(void)
{
	uint64_t (*entry)(uint64_t (*)(void));
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int turn = 0, failed = 0;

	if (page == MAP_FAILED)
		return 1;
	memcpy(&entry, &page, sizeof entry);
	snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
	handshake_ready();
	for (; handshake_running() && !failed; turn++) {
		time_t end = time(NULL) + TURN_SECONDS;
		/* The last one stays: what comes after the map was read last, nobody can tell. */
		int is_last = turn == TURNS - 1;

		memcpy(page, code, sizeof code);
		failed = announce(page, turn % 2 ? "jit_beta" : "jit_alpha");
		while (!failed && (is_last || time(NULL) < end) && handshake_running())
			entry(turn % 2 ? burn_under_beta : burn_under_alpha);
	}
	handshake_done();
	unlink(path);
	return failed;
}
