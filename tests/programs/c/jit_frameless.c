/*
 * Code made at run time as libraries' compilers make it: no file, no unwind information, no frame pointer. It has pushed what it
 * must keep, uses rbp for something else, and leaves room on its stack in which earlier calls have left return addresses.
 * Its functions are announced in /tmp/perf-PID.map.
 */
#include <string.h>
#include <sys/mman.h>

#include "burn.h"
#include "handshake.h"

typedef uint64_t (*entry)(uint64_t (*callee)(void), const void **decoys);

/* push rbx; push rbp; push r12; mov rbx, rdi; mov r12, rsi; sub rsp, 0x200 */
#define ENTER 0x53, 0x55, 0x41, 0x54, 0x48, 0x89, 0xfb, 0x49, 0x89, 0xf4, 0x48, 0x81, 0xec, 0x00, 0x02, 0x00, 0x00
/* mov rax, [r12 + N]; mov [rsp + N], rax */
#define DECOY(n) 0x49, 0x8b, 0x44, 0x24, n, 0x48, 0x89, 0x44, 0x24, n
/* mov eax, 0x100000; dec eax; jnz */
#define BURN 0xb8, 0x00, 0x00, 0x10, 0x00, 0xff, 0xc8, 0x75, 0xfc
/* add rsp, 0x200; pop r12; pop rbp; pop rbx; ret */
#define LEAVE 0x48, 0x81, 0xc4, 0x00, 0x02, 0x00, 0x00, 0x41, 0x5c, 0x5d, 0x5b, 0xc3

/* rbp leads nowhere: mov ebp, 5 */
static const unsigned char number[] = { ENTER, DECOY(0x10), DECOY(0x18), 0xbd, 0x05, 0x00, 0x00, 0x00, BURN, LEAVE };
/* rbp leads to a decoy that looks like a frame's: lea rbp, [rsp + 8] */
static const unsigned char pointer[] = {
	ENTER, DECOY(0x10), DECOY(0x18), DECOY(0x20), 0x48, 0x8d, 0x6c, 0x24, 0x08, BURN, LEAVE,
};
/* rbp is its caller's */
static const unsigned char untouched[] = { ENTER, DECOY(0x18), BURN, LEAVE };
/* calls: mov ebp, 5; call rbx */
static const unsigned char calling[] = { ENTER, DECOY(0x18), 0xbd, 0x05, 0x00, 0x00, 0x00, 0xff, 0xd3, LEAVE };

NOIPA uint64_t burn_under_jit(void)
{
	return burn_loop(BURN_SHORT);
}

static const void *decoys[8];
static volatile uint64_t sink;

NOIPA uint64_t trace_3(uint64_t x)
{
	volatile uint64_t room[12];

	room[x & 7] = x;
	return room[x & 7] + 1;
}

/* Leaves return addresses behind of calls that cannot have led to the JIT. */
NOIPA uint64_t trace_2(uint64_t x)
{
	volatile uint64_t room[8];

	room[x & 7] = trace_3(x);
	room[x & 7] += trace_3(x + 1);
	KEEP_FRAME();
	return room[x & 7];
}

static uint64_t (*volatile through_pointer)(uint64_t) = trace_2;

/*
 * One of a call that can. Called by trace_0, its caller is where the JIT's code pushes registers; called as the code is, all of
 * its callers are those of the code: nothing on the stack tells them apart.
 */
NOIPA uint64_t trace_1(uint64_t x)
{
	volatile uint64_t room[9];

	room[x & 7] = through_pointer(x);
	KEEP_FRAME();
	return room[x & 7];
}

NOIPA uint64_t trace_0(uint64_t x)
{
	uint64_t r = trace_1(x);

	KEEP_FRAME();
	return r;
}

#define RUN(name, attributes)                                                                  \
	attributes NOIPA uint64_t name(entry code)                                                  \
	{                                                                                           \
		sink += trace_0(sink) + trace_1(sink) + trace_2(sink);                                  \
		uint64_t r = code(burn_under_jit, decoys);                                              \
		KEEP_FRAME();                                                                           \
		return r;                                                                               \
	}

#define WITH_FRAME __attribute__((optimize("no-omit-frame-pointer")))
RUN(run_number, )
RUN(run_pointer, )
RUN(run_calling, )
RUN(run_number_by_frame, WITH_FRAME)
RUN(run_untouched, WITH_FRAME)
RUN(run_calling_by_frame, WITH_FRAME)

/* Ends in a jump to the code, which returns to main. */
NOIPA uint64_t jump_to(entry code, uint64_t (*callee)(void), const void **traces)
{
	return code(callee, traces);
}

NOIPA uint64_t run_through_jump(entry code)
{
	uint64_t r = jump_to(code, burn_under_jit, decoys);

	KEEP_FRAME();
	return r;
}

static unsigned char *page;
static FILE *map;

static entry make(const char *name, const unsigned char *code, size_t bytes)
{
	static size_t used = 256;
	unsigned char *at = page + used;
	entry made;

	memcpy(at, code, bytes);
	memcpy(&made, &at, sizeof made);
	fprintf(map, "%lx %zx %s\n", (unsigned long)at, bytes, name);
	used += 512;
	return made;
}

int main(void)
{
	char path[64];

	snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
	map = fopen(path, "w");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!map || page == MAP_FAILED)
		return 1;
	entry jit_number = make("jit_number", number, sizeof number);
	entry jit_pointer = make("jit_pointer", pointer, sizeof pointer);
	entry jit_untouched = make("jit_untouched", untouched, sizeof untouched);
	entry jit_calling = make("jit_calling", calling, sizeof calling);

	if (fclose(map))
		return 1;
	/* An entry, code that no call is before, and data. */
	decoys[2] = (const char *)trace_1;
	decoys[3] = (const char *)trace_2 + 9;
	decoys[4] = &decoys;
	handshake_ready();
	while (handshake_running()) {
		run_number(jit_number);
		run_pointer(jit_pointer);
		run_calling(jit_calling);
		run_number_by_frame(jit_number);
		run_untouched(jit_untouched);
		run_calling_by_frame(jit_calling);
		run_through_jump(jit_number);
	}
	handshake_done();
	unlink(path);
	return 0;
}
