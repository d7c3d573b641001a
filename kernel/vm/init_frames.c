// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that leaves the guest goes through one virtio port as frames of
 * a type byte, a little-endian 32-bit length and the payload. One port and not
 * one a stream: ports are separate queues, so the frame that carries the exit
 * status could overtake the last output. frames.ts is the other end.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init.h"

int port = -1;
int kmsg = -1;

void write_all(int fd, const void *data, size_t length)
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

void send_frame(char type, const void *data, uint32_t length)
{
	static char frame[5 + CHUNK];

	frame[0] = type;
	memcpy(frame + 1, &length, 4);
	memcpy(frame + 5, data, length);
	write_all(port, frame, 5 + length);
}

_Noreturn void power_off(void)
{
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* vm.ts ends QEMU when it has read the last frame; this is for when it cannot. */
_Noreturn void leave(void)
{
	sleep(5);
	power_off();
}

void drain_kmsg(void)
{
	/* log.ts takes it for a report. */
	static const char lost[] = "4,0,0,-;kernel log records were lost\n";
	char record[8192];
	ssize_t n;

	for (;;) {
		n = read(kmsg, record, sizeof(record));
		if (n > 0)
			send_frame('k', record, n);
		else if (n < 0 && errno == EPIPE)
			send_frame('k', lost, sizeof(lost) - 1);
		else if (n == 0 || errno != EINTR)
			return;
	}
}

_Noreturn void die(const char *format, ...)
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
