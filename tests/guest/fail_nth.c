// SPDX-License-Identifier: MIT
/*
 * Fails, for each call that a model or a driver makes, the first thing in it that
 * can fail, then the second, and so on until the call gets through: allocations, and
 * copies from and to user space. What fails has to say so with an errno that is
 * expected there, and the same call has to succeed right after it.
 *
 * Prints a line for each call: its name, and how many failures were injected.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_nth.h"

/* More than any call has; a call that never gets through is a failure of the test. */
#define FAILURES_MAX		1000

static int nth;				/* /proc/thread-self/fail-nth */

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	int ret;

	if (file < 0)
		return -errno;
	ret = write(file, text, strlen(text)) < 0 ? -errno : 0;
	close(file);
	return ret;
}

void must_write(const char *path, const char *text)
{
	int ret = write_file(path, text);

	if (ret)
		die("%s to %s: %s", text, path, strerror(-ret));
}

static void arm(unsigned int number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	if (pwrite(nth, text, length, 0) != length)
		die("fail-nth: %s", strerror(errno));
}

/* Whether what was armed has struck; looking, and disarming, may be what it strikes. */
static bool disarm(void)
{
	char text[16] = "";
	bool struck = pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	if (pwrite(nth, "0", 1, 0) != 1 && pwrite(nth, "0", 1, 0) != 1)
		die("fail-nth: %s", strerror(errno));
	return struck;
}

static bool is_expected(const struct call *call, int error)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(call->errors); n++) {
		if (error && call->errors[n] == error)
			return true;
	}
	return false;
}

/* EFAULT may come after the work was done, which is not done twice. */
static bool is_done(const struct call *call, int first, int second)
{
	return call->once && first == -EFAULT && second == -EBUSY;
}

/* Whether number @number struck. */
static bool strike(const struct call *call, unsigned int number)
{
	bool struck;
	int ret, again;

	if (call->before)
		call->before();
	arm(number);
	ret = call->call();
	struck = disarm();
	if (ret && !struck)
		die("%s: %s, and nothing was injected", call->name, strerror(-ret));
	if (ret && !is_expected(call, -ret))
		die("%s: %s for failure %u", call->name, strerror(-ret), number);
	if (ret) {
		again = call->call();
		if (again && !is_done(call, ret, again))
			die("%s: %s after failure %u", call->name, strerror(-again), number);
	}
	if (struck && !ret && call->verify)
		call->verify();
	if (call->undo)
		call->undo();
	if (call->after)
		call->after();
	return struck;
}

static void sweep(const struct call *call)
{
	unsigned int number = 1;

	while (strike(call, number)) {
		if (++number > FAILURES_MAX)
			die("%s has no end", call->name);
	}
	printf("%s: %u\n", call->name, number - 1);
	fflush(stdout);
}

/* Where function @name of the kernel begins, and the next one. */
static void find_function(const char *name, unsigned long range[2])
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long address;
	char symbol[128];

	range[0] = 0;
	range[1] = -1UL;
	while (file && fscanf(file, "%lx %*c %127s%*[^\n]", &address, symbol) == 2) {
		if (!strcmp(symbol, name))
			range[0] = address;
	}
	if (!range[0])
		die("the kernel has no %s()", name);
	rewind(file);
	while (fscanf(file, "%lx %*c %127s%*[^\n]", &address, symbol) == 2) {
		if (address > range[0] && address < range[1])
			range[1] = address;
	}
	fclose(file);
}

static void set(const char *attribute, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attribute, name);
	must_write(path, value);
}

static void set_address(const char *attribute, const char *name, unsigned long address)
{
	char text[32];

	snprintf(text, sizeof(text), "%#lx", address);
	set(attribute, name, text);
}

/*
 * Every allocation may fail, and none needs a report. But for files in /proc/irq: the
 * kernel goes on without them, and warns when it is to remove them.
 */
static void prepare(void)
{
	static const char *const attributes[] = {
		"failslab", "fail_page_alloc", "fail_usercopy"
	};
	unsigned long range[2];
	unsigned int n;

	find_function("register_irq_proc", range);
	for (n = 0; n < ARRAY_SIZE(attributes); n++) {
		set(attributes[n], "verbose", "0");
		set_address(attributes[n], "reject-start", range[0]);
		set_address(attributes[n], "reject-end", range[1]);
	}
	set("failslab", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	set("fail_page_alloc", "min-order", "0");
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		die("fail-nth: %s", strerror(errno));
}

int main(void)
{
	const struct call *call;
	unsigned int n;

	prepare();
	for (n = 0; n < all_calls_count; n++) {
		if (all_calls[n].before)
			all_calls[n].before();
		for (call = all_calls[n].calls; call->name; call++)
			sweep(call);
	}
	calls_end();
	return 0;
}
