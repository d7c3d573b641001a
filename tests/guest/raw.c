// SPDX-License-Identifier: MIT
/*
 * System calls as a program makes them that does not use the library: with any
 * argument at all. Each returns >= 0 or -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int outcome(int returned)
{
	return returned < 0 ? -errno : returned;
}

EXPORT int raw_open(void)
{
	return outcome(open("/dev/barkeep", O_RDWR | O_CLOEXEC));
}

EXPORT int raw_close(int device)
{
	return outcome(close(device));
}

EXPORT int raw_ioctl(int device, uint32_t number, void *argument)
{
	return outcome(ioctl(device, number, argument));
}

EXPORT int raw_ioctl_at(int device, uint32_t number, uint64_t address)
{
	return outcome(ioctl(device, number, (void *)(uintptr_t)address));
}

/* Maps, then changes the protection if @then is not negative, then unmaps. */
EXPORT int raw_map(int device, uint64_t offset, uint64_t bytes, int protection, int flags,
		   int then)
{
	void *at = mmap(NULL, bytes, protection, flags, device, offset);
	int ret = 0;

	if (at == MAP_FAILED)
		return -errno;
	if (then >= 0)
		ret = outcome(mprotect(at, bytes, then));
	munmap(at, bytes);
	return ret;
}

/*
 * Writes random words to two pages of the device, as fast as it can, until there
 * is something to be read from @stop.
 */
EXPORT int raw_scribble(int device, uint64_t first, uint64_t second, int stop, uint64_t seed)
{
	uint64_t offsets[] = { first, second }, random = seed | 1ull << 63;
	struct pollfd asked = { .fd = stop, .events = POLLIN };
	volatile uint32_t *pages[2];
	int i;

	for (i = 0; i < 2; i++) {
		pages[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device,
				offsets[i]);
		if (pages[i] == MAP_FAILED)
			return -errno;
	}
	do {
		for (i = 0; i < 10000; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* The words that mean something oftener than the rest. */
			pages[0][random & 16] = random >> 32;
			pages[random >> 8 & 1][random >> 16 & 1023] = random >> 32;
		}
	} while (poll(&asked, 1, 0) <= 0);
	return 0;
}
