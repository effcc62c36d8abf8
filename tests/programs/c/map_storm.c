/* Maps its own file executable without end: each time is a record for whoever follows mappings. */
#include <fcntl.h>
#include <sys/mman.h>

#include "handshake.h"

int main(void)
{
	int file = open("/proc/self/exe", O_RDONLY);

	if (file < 0)
		return 1;
	handshake_ready();
	while (handshake_running()) {
		for (int i = 0; i < 500; i++) {
			void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);

			if (page != MAP_FAILED)
				munmap(page, 4096);
		}
	}
	return 0;
}
