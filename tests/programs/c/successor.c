/* Works until its input has a line, then executes the program that its argument names, in the same process. */
#include "burn.h"
#include "handshake.h"

NOIPA uint64_t predecessor_burn(void)
{
	return burn_loop(BURN_SHORT);
}

int main(int argc, char **argv)
{
	char line[64];

	if (argc < 2)
		return 2;
	handshake_ready();
	while (handshake_running())
		predecessor_burn();
	if (read(STDIN_FILENO, line, sizeof line) <= 0)
		return 0;
	execv(argv[1], argv + 1);
	return 1;
}
