/* Processes made by fork without exec, by vfork, and by posix_spawn of itself. */
#define _GNU_SOURCE
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "burn.h"
#include "handshake.h"

extern char **environ;

NOIPA uint64_t forked_burn(void)
{
	return burn_loop(20 * BURN_SHORT);
}

NOIPA uint64_t vforked_burn(void)
{
	return burn_loop(5 * BURN_SHORT);
}

NOIPA uint64_t spawned_burn(void)
{
	return burn_loop(20 * BURN_SHORT);
}

NOIPA void with_fork(void)
{
	pid_t child = fork();

	if (child == 0) {
		forked_burn();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

NOIPA void with_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		vforked_burn();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

NOIPA void with_spawn(char *self)
{
	char *const arguments[] = { self, "spawned", NULL };
	pid_t child;

	if (posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0)
		waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "spawned")) {
		spawned_burn();
		KEEP_FRAME();
		return 0;
	}
	handshake_ready();
	while (handshake_running()) {
		with_fork();
		with_vfork();
		with_spawn(argv[0]);
	}
	return 0;
}
