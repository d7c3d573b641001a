// SPDX-License-Identifier: GPL-2.0-only
/*
 * First process of the throw-away VM. It loads the modules that stand in the
 * initramfs, stacks a scratch overlay on the host's root file system (9p,
 * read-only), runs one command there and tells vm.ts how it went.
 *
 * Everything that leaves the guest goes through one virtio port as frames of
 * a type byte, a little-endian 32-bit length and the payload. One port and not
 * one a stream: ports are separate queues, so the frame that carries the exit
 * status could overtake the last output. frames.ts is the other end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"
#define MAX_ENTRIES 512
#define CHUNK 16384

extern char **environ;

static int port = -1;
static int kmsg = -1;

/* The job, as initramfs.ts wrote it: NUL-terminated key and value, in turn. */
static struct {
	char *args[MAX_ENTRIES];
	char *env[MAX_ENTRIES];
	char *load[MAX_ENTRIES];
	int nargs, nenv, nload;
	const char *cwd, *modules, *release, *module;
	bool tty, input;
	int rows, columns;
} job;

static void write_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		at += n;
		length -= n;
	}
}

static void send_frame(char type, const void *data, uint32_t length)
{
	static char frame[5 + CHUNK];

	frame[0] = type;
	memcpy(frame + 1, &length, 4);
	memcpy(frame + 5, data, length);
	write_all(port, frame, 5 + length);
}

static void power_off(void)
{
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* vm.ts ends QEMU when it has read the last frame; this is for when it cannot. */
static void leave(void)
{
	sleep(5);
	power_off();
}

static void drain_kmsg(void)
{
	char record[8192];
	ssize_t n;

	for (;;) {
		n = read(kmsg, record, sizeof(record));
		if (n > 0)
			send_frame('k', record, n);
		else if (n == 0 || (errno != EPIPE && errno != EINTR))
			return;
	}
}

static void die(const char *format, ...)
{
	char text[1024];
	va_list args;
	int saved = errno, n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text) - 128, format, args);
	va_end(args);
	n += snprintf(text + n, 128, ": %s", strerror(saved));
	if (port < 0) {
		dprintf(STDOUT_FILENO, "init: %s\n", text);
		sleep(1);
		power_off();
	}
	if (kmsg >= 0)
		drain_kmsg();
	send_frame('f', text, n);
	leave();
}

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

/* The command's ends of its streams and ours; -1 where there is none. */
struct streams {
	int in, out, err;
	int child_in, child_out, child_err;
	bool asked; /* for input that has not come yet */
};

static void set_window(int fd, int columns, int rows)
{
	struct winsize size = { .ws_col = columns, .ws_row = rows };

	ioctl(fd, TIOCSWINSZ, &size);
}

static void open_streams(struct streams *s)
{
	int in[2], out[2], err[2];

	if (job.tty) {
		int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		int slave;

		if (master < 0 || grantpt(master) || unlockpt(master))
			die("cannot open a terminal");
		slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (slave < 0)
			die("cannot open %s", ptsname(master));
		set_window(master, job.columns, job.rows);
		fcntl(master, F_SETFL, O_NONBLOCK);
		*s = (struct streams){ master, master, -1, slave, slave, slave, false };
		return;
	}
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("cannot open pipes");
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	*s = (struct streams){ -1, out[0], err[0], -1, out[1], err[1], false };
	if (job.input) {
		if (pipe2(in, O_CLOEXEC))
			die("cannot open pipes");
		fcntl(in[1], F_SETFL, O_NONBLOCK);
		s->in = in[1];
		s->child_in = in[0];
	} else {
		s->child_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
}

static pid_t start_command(struct streams *s)
{
	pid_t child = fork();
	sigset_t none;

	if (child < 0)
		die("cannot fork");
	if (child) {
		close(s->child_in);
		if (!job.tty) {
			close(s->child_out);
			close(s->child_err);
		}
		return child;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (job.tty)
		ioctl(s->child_in, TIOCSCTTY, 0);
	dup2(s->child_in, STDIN_FILENO);
	dup2(s->child_out, STDOUT_FILENO);
	dup2(s->child_err, STDERR_FILENO);
	environ = job.env;
	if (chdir(job.cwd))
		dprintf(STDERR_FILENO, "vm: cannot enter %s: %s\n", job.cwd,
			strerror(errno));
	execvp(job.args[0], job.args);
	dprintf(STDERR_FILENO, "vm: cannot run %s: %s\n", job.args[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Returns false at the end of the stream. */
static bool pass_on(char type, int fd)
{
	char data[CHUNK];
	ssize_t n = read(fd, data, sizeof(data));

	if (n > 0)
		send_frame(type, data, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain(char type, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (fd >= 0 && poll(&p, 1, 0) > 0 && pass_on(type, fd))
		;
}

/*
 * Acts on whole frames from the host: 'i' input (empty: its end), 's' a signal
 * for the command, 'r' a new window size.
 */
static void handle_host(struct streams *s, pid_t child)
{
	static char buffer[2 * CHUNK];
	static size_t have;
	ssize_t n = read(port, buffer + have, sizeof(buffer) - have);

	if (n == 0)
		power_off();
	if (n < 0)
		return;
	have += n;
	for (;;) {
		uint32_t length, words[2] = { 0 };
		char *data = buffer + 5;

		if (have < 5)
			return;
		memcpy(&length, buffer + 1, 4);
		if (length > CHUNK)
			power_off();
		if (have < 5 + length)
			return;
		memcpy(words, data, length < 8 ? length : 8);
		if (buffer[0] == 'i')
			s->asked = false;
		if (buffer[0] == 'i' && s->in >= 0 && length) {
			write_all(s->in, data, length);
		} else if (buffer[0] == 'i' && s->in >= 0 && !job.tty) {
			close(s->in);
			s->in = -1;
		} else if (buffer[0] == 's' && words[0] < 64) {
			kill(-child, words[0]);
		} else if (buffer[0] == 'r' && job.tty) {
			set_window(s->out, words[0], words[1]);
		}
		have -= 5 + length;
		memmove(buffer, data + length, have);
	}
}

/* Returns true when the command itself has ended; its status is in *status. */
static bool reap(pid_t child, int *status)
{
	bool ended = false;
	int how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		ended = true;
		*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	}
	return ended;
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

static uint32_t attend(struct streams *s, pid_t child, int children)
{
	struct signalfd_siginfo info;
	int status = 0;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = port, .events = POLLIN },
			{ .fd = children, .events = POLLIN },
			{ .fd = kmsg, .events = POLLIN },
			{ .fd = s->out, .events = POLLIN },
			{ .fd = s->err, .events = POLLIN },
			/* Asking for input only when there is room keeps signals from queueing behind it. */
			{ .fd = s->asked ? -1 : s->in, .events = POLLOUT },
		};

		if (poll(fds, 6, -1) < 0)
			continue;
		if (fds[0].revents)
			handle_host(s, child);
		if (fds[2].revents)
			drain_kmsg();
		if (fds[3].revents && !pass_on('o', s->out) && !job.tty)
			s->out = -1;
		if (fds[4].revents && !pass_on('e', s->err))
			s->err = -1;
		if (fds[5].revents & POLLOUT) {
			send_frame('w', "", 0);
			s->asked = true;
		} else if (fds[5].revents && !job.tty) {
			close(s->in);
			s->in = -1;
		}
		if (fds[1].revents) {
			read(children, &info, sizeof(info));
			if (reap(child, &status))
				return status;
		}
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
