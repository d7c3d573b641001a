// SPDX-License-Identifier: GPL-2.0-only
/*
 * First process of the throw-away VM. It loads the modules that stand in the
 * initramfs, stacks a scratch overlay on the host's root file system (9p,
 * read-only), runs one command there and tells vm.ts how it went.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define PORT "/dev/vport0p1"

struct job job;

static void mount_or_die(const char *source, const char *target,
			 const char *type, unsigned long flags,
			 const char *data)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, data))
		die("cannot mount %s on %s", type ? type : source, target);
}

/* For what a kernel may be built without. */
static void try_mount(const char *type, const char *target)
{
	mkdir(target, 0755);
	mount(type, target, type, 0, NULL);
}

static void parse_job(void)
{
	static char text[256 * 1024];
	char *at = text, *end;
	int fd = open("/job", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die("cannot open /job");
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		die("cannot read /job");
	end = text + n;
	while (at < end) {
		char *key = at, *value = at + strlen(at) + 1;

		if (value >= end)
			break;
		at = value + strlen(value) + 1;
		if (!strcmp(key, "arg") && job.nargs < MAX_ENTRIES - 1)
			job.args[job.nargs++] = value;
		else if (!strcmp(key, "env") && job.nenv < MAX_ENTRIES - 1)
			job.env[job.nenv++] = value;
		else if (!strcmp(key, "load") && job.nload < MAX_ENTRIES)
			job.load[job.nload++] = value;
		else if (!strcmp(key, "cwd"))
			job.cwd = value;
		else if (!strcmp(key, "modules"))
			job.modules = value;
		else if (!strcmp(key, "release"))
			job.release = value;
		else if (!strcmp(key, "module"))
			job.module = value;
		else if (!strcmp(key, "input"))
			job.input = true;
		else if (!strcmp(key, "tty"))
			job.tty = sscanf(value, "%dx%d", &job.columns, &job.rows) == 2;
	}
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot open module %s", path);
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		die("cannot load module %s", path);
	close(fd);
}

static void open_port(void)
{
	for (int i = 0; i < 2000; i++) {
		port = open(PORT, O_RDWR | O_CLOEXEC);
		if (port >= 0)
			return;
		usleep(5000);
	}
	die("no virtio port %s", PORT);
}

static void mount_root(void)
{
	char path[512], source[512];

	mount_or_die("tmpfs", "/scratch", "tmpfs", 0, "mode=0755,size=75%");
	mkdir("/scratch/upper", 0755);
	mkdir("/scratch/work", 0755);
	mount_or_die("root", "/host", "9p", MS_RDONLY,
		     "trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=client");
	mount_or_die("overlay", "/new", "overlay", 0,
		     "lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work");

	if (chdir("/new"))
		die("cannot enter the new root");
	mount_or_die("/dev", "dev", NULL, MS_MOVE, NULL);
	mount_or_die("/proc", "proc", NULL, MS_MOVE, NULL);
	mount_or_die("/sys", "sys", NULL, MS_MOVE, NULL);
	mount_or_die("tmpfs", "run", "tmpfs", 0, "mode=0755");
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("cannot switch to the new root");

	mount_or_die("devpts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666");
	mount_or_die("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	try_mount("debugfs", "/sys/kernel/debug");
	try_mount("tracefs", "/sys/kernel/tracing");
	try_mount("configfs", "/sys/kernel/config");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");

	mkdir("/lib/modules", 0755);
	snprintf(path, sizeof(path), "/lib/modules/%s", job.release);
	snprintf(source, sizeof(source), "%s", job.modules);
	if (strcmp(path, source))
		mount_or_die(source, path, NULL, MS_BIND, NULL);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/*
 * What the command left running goes with the machine, but its files are
 * closed first, so that what the kernel says about that is still heard.
 */
static void kill_the_rest(void)
{
	kill(-1, SIGKILL);
	for (int i = 0; i < 400; i++) {
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		usleep(5000);
	}
}

int main(void)
{
	struct streams streams;
	uint32_t status;
	sigset_t chld;
	int children;
	pid_t child;

	mount_or_die("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount_or_die("proc", "/proc", "proc", 0, NULL);
	mount_or_die("sysfs", "/sys", "sysfs", 0, NULL);
	parse_job();
	for (int i = 0; i < job.nload; i++)
		load_module(job.load[i]);
	open_port();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	drain_kmsg();
	mount_root();
	sethostname("barkeep", 7);
	loopback_up();
	if (job.module)
		load_module(job.module);

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	children = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	open_streams(&streams);
	send_frame('b', "", 0);
	child = start_command(&streams);
	status = attend(&streams, child, children);
	kill_the_rest();
	drain('o', streams.out);
	drain('e', streams.err);
	drain_kmsg();
	send_frame('x', &status, sizeof(status));
	leave();
}
