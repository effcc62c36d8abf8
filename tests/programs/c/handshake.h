/*
 * What every program agrees with its harness: it prints READY, waits for a line, works until its standard input has
 * another line or ends, prints one line of JSON if it has something to tell, waits for the end of its input and leaves.
 */
#pragma once
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void handshake_ready(void)
{
	char line[64];

	puts("READY");
	fflush(stdout);
	if (read(STDIN_FILENO, line, sizeof line) <= 0)
		exit(1);
}

static inline int handshake_running(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN, .revents = 0 };

	return poll(&input, 1, 0) == 0;
}

/* Keeps the process, and its entry in /proc, until the harness has read what it needs. */
static inline void handshake_done(void)
{
	char line[64];

	fflush(stdout);
	while (read(STDIN_FILENO, line, sizeof line) > 0)
		;
}
