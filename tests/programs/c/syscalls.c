/* Burns in the kernel on behalf of known callers. */
#include <fcntl.h>
#include <sys/syscall.h>

#include "burn.h"
#include "handshake.h"

NOIPA long read_random(int file)
{
	static char buffer[65536];
	long r = read(file, buffer, sizeof buffer);

	KEEP_FRAME();
	return r;
}

NOIPA long ask_parent(void)
{
	long sum = 0;

	for (int i = 0; i < 1000; i++)
		sum += syscall(SYS_getppid);
	return sum;
}

int main(void)
{
	int file = open("/dev/urandom", O_RDONLY);

	if (file < 0)
		return 1;
	handshake_ready();
	while (handshake_running()) {
		read_random(file);
		ask_parent();
	}
	return 0;
}
