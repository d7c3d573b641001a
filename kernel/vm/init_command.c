// SPDX-License-Identifier: GPL-2.0-only
/* The command: its streams, its signals, its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

extern char **environ;

static void set_window(int fd, int columns, int rows)
{
	struct winsize size = { .ws_col = columns, .ws_row = rows };

	ioctl(fd, TIOCSWINSZ, &size);
}

void open_streams(struct streams *s)
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

pid_t start_command(struct streams *s)
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

void drain(char type, int fd)
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

uint32_t attend(struct streams *s, pid_t child, int children)
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
			/* Asked for only when there is room: signals must not queue behind it. */
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
