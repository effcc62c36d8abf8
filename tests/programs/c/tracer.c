/* Traces the process of its argument, which stands still until the work begins, and then goes on under its eyes. */
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "handshake.h"

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		return 1;
	handshake_ready();
	if (ptrace(PTRACE_CONT, pid, NULL, NULL))
		return 1;
	/* What is traced is let go with this process. */
	handshake_done();
	return 0;
}
