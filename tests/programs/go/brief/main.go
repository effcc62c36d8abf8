// A life of 30 ms in C, on the thread's system stack: what called it is on a goroutine's.
package main

/*
#include <stdint.h>
#include <time.h>

static volatile uint64_t sink;

static long cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((noinline)) static void burn_in_c(long milliseconds)
{
	long end = cpu_ms() + milliseconds;

	while (cpu_ms() < end)
		for (int i = 0; i < 10000; i++)
			sink += i;
}
*/
import "C"

//go:noinline
func callC() {
	C.burn_in_c(30)
}

func main() {
	callC()
}
