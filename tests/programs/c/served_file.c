/* Runs the program named by its last argument, as a user without rights, from a file system that a process of ours serves (FUSE,
 * linux/fuse.h): to that user alone, so that root is refused, or to all if the first argument says so. The server is the only
 * child; from SIGUSR1 on it answers nothing. Both see the mount, and nobody else does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PLACE "/mnt"
#define PROGRAM "/mnt/program"
#define NOBODY 65534
#define FOLDER 1
#define FILE_NODE 2
#define MOST_READ (128u << 10)

static int device;
static const char *content;
static size_t size;
static volatile sig_atomic_t is_silent;

static void be_silent(int signal)
{
	(void)signal;
	is_silent = 1;
}

static void answer(const struct fuse_in_header *to, int error, const void *with, size_t length)
{
	struct fuse_out_header head = { sizeof head + (error ? 0 : length), -error, to->unique };
	struct iovec parts[] = { { &head, sizeof head }, { (void *)with, error ? 0 : length } };

	if (writev(device, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node)
{
	int is_file = node == FILE_NODE;

	return (struct fuse_attr) {
		.ino = node,
		.size = is_file ? size : 0,
		.mode = is_file ? S_IFREG | 0555 : S_IFDIR | 0555,
		.nlink = 1,
		.uid = NOBODY,
		.gid = NOBODY,
	};
}

static void answer_read(const struct fuse_in_header *to, const struct fuse_read_in *read)
{
	size_t from = read->offset < size ? read->offset : size;
	size_t length = read->size < size - from ? read->size : size - from;

	answer(to, 0, content + from, length);
}

static void answer_start(const struct fuse_in_header *to, const struct fuse_init_in *start)
{
	struct fuse_init_out reply = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = start->max_readahead,
		.flags = FUSE_ASYNC_READ,
		.max_write = MOST_READ,
	};

	answer(to, 0, &reply, sizeof reply);
}

static void serve_one(const struct fuse_in_header *to, const void *body)
{
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
	struct fuse_attr_out attribute = { .attr = attributes(to->nodeid) };
	struct fuse_open_out opened = { .open_flags = FOPEN_KEEP_CACHE };

	switch (to->opcode) {
	case FUSE_INIT:
		return answer_start(to, body);
	case FUSE_LOOKUP:
		return answer(to, strcmp(body, "program") ? ENOENT : 0, &entry, sizeof entry);
	case FUSE_GETATTR:
		return answer(to, 0, &attribute, sizeof attribute);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return answer(to, 0, &opened, sizeof opened);
	case FUSE_READ:
		return answer_read(to, body);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return answer(to, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(to, ENOSYS, NULL, 0);
	}
}

static void serve(void)
{
	size_t room = MOST_READ + (64 << 10);
	char *request = malloc(room);

	/* As the same user: else the end of the program could not end it. */
	if (setgid(NOBODY) || setuid(NOBODY) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	signal(SIGUSR1, be_silent);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	for (;;) {
		ssize_t length = read(device, request, room);

		if (is_silent)
			continue;
		if (length >= (ssize_t)sizeof(struct fuse_in_header))
			serve_one((void *)request, request + sizeof(struct fuse_in_header));
		else if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
			_exit(0);
	}
}

static int load(const char *path)
{
	struct stat status;
	int file = open(path, O_RDONLY);

	if (file < 0 || fstat(file, &status))
		return 0;
	size = (size_t)status.st_size;
	content = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	return content != MAP_FAILED;
}

int main(int argc, char **argv)
{
	int is_for_all = argc == 3 && strcmp(argv[1], "all") == 0;
	char options[128];

	if (argc < 2 || !load(argv[argc - 1]))
		return 2;
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof options, "fd=%d,rootmode=40555,user_id=%d,group_id=%d%s", device, NOBODY, NOBODY,
		 is_for_all ? ",allow_other" : "");
	if (device < 0 || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("served", PLACE, "fuse", MS_NOSUID | MS_NODEV, options)) {
		perror("served-file");
		return 1;
	}
	if (fork() == 0)
		serve();
	if (chdir("/") || setgid(NOBODY) || setuid(NOBODY))
		return 1;
	execv(PROGRAM, argv + argc - 1);
	perror(PROGRAM);
	return 1;
}
