/* Children map a file of theirs executable, burn a moment and end. Meanwhile another child exchanges the file for a
 * FIFO again and again: whoever opens the path afterwards, and waits for somebody to write, waits for ever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "burn.h"
#include "handshake.h"

#define FILE_NAME "swapped"
#define FIFO_NAME "swapped-for"

static NOIPA uint64_t mapper_burn(void)
{
	return burn_loop(3 * BURN_SHORT);
}

static void map_the_file(void)
{
	struct stat status;
	int file;

	do {
		file = open(FILE_NAME, O_RDONLY | O_NONBLOCK);
		if (file < 0 || fstat(file, &status))
			_exit(1);
		if (!S_ISREG(status.st_mode))
			close(file);
	} while (!S_ISREG(status.st_mode));
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	mapper_burn();
	_exit(0);
}

int main(void)
{
	int file = open(FILE_NAME, O_CREAT | O_RDWR, 0755);
	pid_t swapper, mapper;

	if (file < 0 || ftruncate(file, 4096) || mkfifo(FIFO_NAME, 0666))
		return 1;
	handshake_ready();
	swapper = fork();
	if (swapper == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (swapper == 0)
		renameat2(AT_FDCWD, FILE_NAME, AT_FDCWD, FIFO_NAME, RENAME_EXCHANGE);
	while (handshake_running()) {
		mapper = fork();
		if (mapper == 0)
			map_the_file();
		waitpid(mapper, NULL, 0);
	}
	kill(swapper, SIGKILL);
	waitpid(swapper, NULL, 0);
	return 0;
}
