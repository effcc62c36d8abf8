// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Does what it is told, a command a line on standard input, and says so on standard output when it is done:
 *
 *   burn MS     uses so many milliseconds of CPU time; says how many nanoseconds it used
 *   mark MS     the same below a pattern on its stack; says the pattern's address and bytes, too
 *   fork MS     a child does the burning; says its pid and the time it used
 *   map PATH    maps a file as code and unmaps it
 *   exec        becomes this program anew
 *   spin        at one instruction, five calls deep, for ever
 *   handle      the same in a signal handler that has a stack of its own
 *   thread      the same in a signal handler of another thread
 *   frameless B the same in code without table and frame pointer, and B bytes on its stack; says where its caller begins
 *   crowded B   the same, over more return addresses than are noted with a copy
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "frameless.h"
#include "mark.h"

#define PATTERN	      0x1badb002deadbeefULL
#define PATTERN_WORDS 64

static unsigned long long cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (unsigned long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

NOINLINE static unsigned long long burn(unsigned long ms)
{
	unsigned long long start = cpu_time(), used;

	do {
		for (volatile int i = 0; i < 100000; i++)
			;
		used = cpu_time() - start;
	} while (used < ms * 1000000ULL);
	return used;
}

NOINLINE static void burn_below_pattern(unsigned long ms)
{
	volatile unsigned long long words[PATTERN_WORDS];

	for (int i = 0; i < PATTERN_WORDS; i++)
		words[i] = PATTERN + i;
	unsigned long long used = burn(ms);

	printf("%llu %llu\n", used, (unsigned long long)(size_t)words);
	KEEP(used);
}

static void burn_in_child(unsigned long ms)
{
	int results[2];
	unsigned long long used;

	if (pipe(results))
		exit(3);
	pid_t child = fork();

	if (child == 0) {
		used = burn(ms);
		_exit(write(results[1], &used, sizeof(used)) == sizeof(used) ? 0 : 1);
	}
	if (read(results[0], &used, sizeof(used)) != sizeof(used) || waitpid(child, NULL, 0) != child)
		exit(4);
	close(results[0]);
	close(results[1]);
	printf("%d %llu\n", child, used);
}

/* A child that does nothing until it is woken. */
static pid_t kept;
static int kept_input[2], kept_output[2];

static void keep_child(void)
{
	unsigned long ms;

	if (pipe(kept_input) || pipe(kept_output))
		exit(9);
	kept = fork();
	if (kept == 0) {
		if (read(kept_input[0], &ms, sizeof(ms)) != sizeof(ms))
			_exit(1);
		unsigned long long used = burn(ms);
		_exit(write(kept_output[1], &used, sizeof(used)) == sizeof(used) ? 0 : 1);
	}
	printf("%d\n", kept);
}

static void wake_child(unsigned long ms)
{
	unsigned long long used;

	if (write(kept_input[1], &ms, sizeof(ms)) != sizeof(ms) ||
	    read(kept_output[0], &used, sizeof(used)) != sizeof(used) || waitpid(kept, NULL, 0) != kept)
		exit(10);
	printf("%llu\n", used);
}

/* Ends the main thread; another one burns, and ends the process. */
static void *burn_alone(void *ms)
{
	burn(*(unsigned long *)ms);
	printf("burned\n");
	exit(0);
}

static void leave_main_thread(unsigned long ms)
{
	static unsigned long kept_ms;
	pthread_t thread;

	kept_ms = ms;
	if (pthread_create(&thread, NULL, burn_alone, &kept_ms))
		exit(11);
	pthread_exit(NULL);
}

static void map_code(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (code == MAP_FAILED || munmap(code, 4096) || close(fd))
		exit(5);
	printf("mapped\n");
}

NOINLINE static long spin(long depth)
{
	if (depth == 0)
		for (;;)
			__asm__ volatile("1: jmp 1b");
	long below = spin(depth - 1);

	KEEP(below);
	return below + depth;
}

static void on_signal(int number)
{
	printf("spinning\n");
	exit((int)spin(5) + number);
}

/* Interrupted some kilobytes deep, as is usual: the handler's stack is not all there is to a stack. */
NOINLINE static void *handle(void *unused)
{
	volatile char room[16384];
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	stack_t own = { .ss_sp = malloc(65536), .ss_size = 65536 };

	room[0] = 1;
	if (sigaltstack(&own, NULL) || sigaction(SIGUSR1, &action, NULL) || raise(SIGUSR1))
		exit(7);
	KEEP(room[0]);
	return unused;
}

static void handle_in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, handle, NULL) || pthread_join(thread, NULL))
		exit(8);
}

int main(int argc, char **argv)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		char *argument = strchr(line, ' ');
		unsigned long ms = argument ? strtoul(argument, NULL, 10) : 0;

		line[strcspn(line, "\n")] = 0;
		switch (line[0] << 8 | line[1]) {
		case 'b' << 8 | 'u':
			printf("%llu\n", burn(ms));
			break;
		case 'm' << 8 | 'a':
			if (line[2] == 'r')
				burn_below_pattern(ms);
			else
				map_code(argument + 1);
			break;
		case 'f' << 8 | 'o':
			burn_in_child(ms);
			break;
		case 'k' << 8 | 'e':
			keep_child();
			break;
		case 'w' << 8 | 'a':
			wake_child(ms);
			break;
		case 'l' << 8 | 'e':
			leave_main_thread(ms);
			break;
		case 'e' << 8 | 'x':
			execv("/proc/self/exe", argv);
			return 6;
		case 's' << 8 | 'p':
			printf("spinning\n");
			return (int)spin(5);
		case 'h' << 8 | 'a':
			handle(NULL);
			break;
		case 'f' << 8 | 'r':
			return run_frameless((unsigned)ms, 0);
		case 'c' << 8 | 'r':
			return run_frameless((unsigned)ms, 1);
		case 't' << 8 | 'h':
			handle_in_thread();
			break;
		default:
			return 2;
		}
	}
	return 0;
}
