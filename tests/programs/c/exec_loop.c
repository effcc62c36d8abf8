/* Executes itself without end: the process stays, all that was known of it is of the past each time. */
#include "handshake.h"

int main(int argc, char **argv)
{
	if (argc == 1)
		handshake_ready();
	if (!handshake_running())
		return 0;
	execv("/proc/self/exe", (char *[]){ argv[0], "again", NULL });
	perror("execv");
	return 1;
}
