// SPDX-License-Identifier: MIT
/*
 * System calls as a program makes them that does not use the library: with any
 * argument at all. Each returns >= 0 or -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kernel/uapi/barkeep.h"

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

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What a model shares with the kernel. */
struct shared {
	int device;
	uint32_t entries;
	volatile struct barkeep_control *control;
	volatile struct barkeep_completion *completions;
	const volatile struct barkeep_status *status;
	const volatile struct barkeep_event *ring;
	uint32_t head;
};

static void *shared_map(int device, uint64_t offset, size_t bytes, int protection)
{
	void *at = mmap(NULL, bytes, protection, MAP_SHARED, device, offset);

	return at == MAP_FAILED ? NULL : at;
}

static void interrupted(int number)
{
}

struct interrupter {
	pthread_t thread;
	atomic_bool done;
};

/* Again and again, for the first may come before the wait has begun. */
static void *interrupt(void *argument)
{
	struct interrupter *interrupter = argument;

	while (!interrupter->done) {
		usleep(20000);
		pthread_kill(interrupter->thread, SIGWINCH);
	}
	return NULL;
}

/*
 * Takes all events that there are and waits for the next, while signals come that have
 * a handler: what ends the first wait that does not bring one.
 */
EXPORT int raw_wait(int device, uint32_t entries, uint64_t timeout_ns)
{
	struct barkeep_wait wait = { .size = sizeof(wait), .timeout_ns = timeout_ns };
	struct interrupter interrupter = { .thread = pthread_self() };
	struct sigaction action = { .sa_handler = interrupted }, before;
	size_t bytes = entries * sizeof(struct barkeep_event);
	volatile struct barkeep_control *control =
		shared_map(device, BARKEEP_MMAP_CONTROL, 4096, PROT_READ | PROT_WRITE);
	const volatile struct barkeep_event *ring =
		shared_map(device, BARKEEP_MMAP_RING, bytes, PROT_READ);
	pthread_t thread;
	int ret;

	if (!control || !ring)
		return -ENOMEM;
	sigaction(SIGWINCH, &action, &before);
	ret = -pthread_create(&thread, NULL, interrupt, &interrupter);
	if (!ret) {
		do {
			while (ring[control->head & (entries - 1)].sequence == control->head + 1)
				control->head++;
			ret = outcome(ioctl(device, BARKEEP_WAIT, &wait));
		} while (!ret);
		interrupter.done = 1;
		pthread_join(thread, NULL);
	}
	sigaction(SIGWINCH, &before, NULL);
	munmap((void *)control, 4096);
	munmap((void *)ring, bytes);
	return ret;
}

/* Takes a few events, as a model does that has lost some of them. */
static void scribble_take(struct shared *shared, uint64_t random)
{
	uint32_t count, sequence;

	for (count = random & 7; count; count--) {
		sequence = shared->ring[shared->head & (shared->entries - 1)].sequence;
		if ((int32_t)(sequence - shared->head - 1) < 0)
			break;
		shared->head = sequence;
	}
	shared->control->head = shared->head;
}

/* Completes what waits; not always with a value. */
static void scribble_complete(struct shared *shared, uint64_t random)
{
	volatile struct barkeep_completion *completion;
	uint32_t slot, ticket;

	for (slot = 0; slot < BARKEEP_SLOTS; slot++) {
		ticket = shared->status->waiting[slot];
		if (!ticket)
			continue;
		completion = &shared->completions[slot];
		completion->value = random >> 8;
		completion->status = random & 7 ? BARKEEP_COMPLETION_SUCCESSFUL : random >> 32;
		__atomic_store_n(&completion->ticket, ticket, __ATOMIC_RELEASE);
	}
}

static void scribble_wake(struct shared *shared, uint64_t random)
{
	struct barkeep_wake wake = { .size = sizeof(wake) };

	if (shared->status->sleepers || !(random & 0xff))
		ioctl(shared->device, BARKEEP_WAKE, &wake);
}

/* Nearly right: a head and a ticket that were, or may soon be. */
static void scribble_near(struct shared *shared, uint64_t random)
{
	uint32_t slot = random >> 8 & 3;

	shared->control->head = shared->head + (int32_t)(random & 0x1ff) - 0x100;
	shared->completions[slot].ticket = shared->status->waiting[slot] + (random >> 16 & 3) - 1;
}

static void scribble_head(struct shared *shared, uint64_t random)
{
	shared->control->head = random;
}

/* And goes to sleep now and then, wherever its head is. */
static void scribble_sleeping(struct shared *shared, uint64_t random)
{
	struct barkeep_wait wait = { .size = sizeof(wait), .timeout_ns = random >> 16 & 0x3fff };

	shared->control->sleeping = random & 1 ? random : 0;
	if (!(random >> 8 & 0xf))
		ioctl(shared->device, BARKEEP_WAIT, &wait);
}

static void scribble_word(struct shared *shared, uint64_t random)
{
	volatile uint32_t *pages[] = { (void *)shared->control, (void *)shared->completions };

	pages[random & 1][random >> 1 & 1023] = random >> 32;
}

/* Half of them are what a model does. */
static void (*const scribbles[])(struct shared *shared, uint64_t random) = {
	scribble_take, scribble_take, scribble_complete, scribble_wake,
	scribble_near, scribble_head, scribble_sleeping, scribble_word,
};

/*
 * Has a device that has just been plugged, with so many entries, live with a model of
 * which half is plausible, until there is something to be read from @stop.
 */
EXPORT int raw_scribble(int device, uint32_t entries, int stop, uint64_t seed)
{
	const int both = PROT_READ | PROT_WRITE;
	struct pollfd asked = { .fd = stop, .events = POLLIN };
	size_t ring = entries * sizeof(struct barkeep_event);
	struct shared shared = { .device = device, .entries = entries };
	uint64_t state = seed | 1ull << 63, random;
	int i;

	shared.control = shared_map(device, BARKEEP_MMAP_CONTROL, 4096, both);
	shared.completions = shared_map(device, BARKEEP_MMAP_COMPLETIONS, 4096, both);
	shared.status = shared_map(device, BARKEEP_MMAP_STATUS, 4096, PROT_READ);
	shared.ring = shared_map(device, BARKEEP_MMAP_RING, ring, PROT_READ);
	if (!shared.control || !shared.completions || !shared.status || !shared.ring)
		return -ENOMEM;
	do {
		for (i = 0; i < 10000; i++) {
			random = random_next(&state);
			scribbles[random >> 61](&shared, random);
		}
	} while (poll(&asked, 1, 0) <= 0);
	munmap((void *)shared.control, 4096);
	munmap((void *)shared.completions, 4096);
	munmap((void *)shared.status, 4096);
	munmap((void *)shared.ring, ring);
	return 0;
}

/* A word of a struct, or a pointer: often one that leads somewhere. */
static uint64_t random_word(uint64_t *state, unsigned char *memory)
{
	uint64_t random = random_next(state);

	switch (random >> 60) {
	case 0 ... 4:
		return 0;
	case 5 ... 7:
		return random & 0xffff;
	case 8:
		return (random & 0xff) << 32 | (random >> 8 & 0xff);
	case 9 ... 11:
		return (uintptr_t)memory + (random & 0x3fff);
	case 12:
		/* Its end cannot be accessed. */
		return (uintptr_t)memory + 0x8000 - (random & 0xff);
	case 13:
		return 0xffff888000000000 + (random & 0xffffffff);
	case 14:
		return -(random & 0xffff);
	default:
		return random;
	}
}

/* Sizes of what a kernel may know, and of what none does. */
static uint32_t random_size(uint64_t *state)
{
	static const uint32_t sizes[] = { 0, 1, 7, 8, 12, 16, 24, 32, 56, 64, 72, 88, 96, 100,
					  4096, 4097, 1 << 20, 1u << 31, UINT32_MAX };
	uint64_t random = random_next(state);

	return random & 1 << 20 ? sizes[random % (sizeof(sizes) / sizeof(*sizes))] :
				  (uint32_t)(8 * (random % 16));
}

#define STRUCT_WORDS	12
#define KINDS		8
#define ERRNOS		256

/*
 * Makes @count random ioctls. Half of the structs are random throughout, the others
 * those of @structs, one for each kind, with up to three words changed. They, and
 * half of what they point to, are in 32 KiB at @memory, behind which nothing is
 * mapped. @outcomes counts for each kind, and for numbers of none, how often there
 * was each errno, 0 for success.
 */
EXPORT int raw_random_ioctls(int device, uint32_t count,
			     const uint64_t structs[KINDS][STRUCT_WORDS], unsigned char *memory,
			     uint32_t outcomes[KINDS + 1][ERRNOS], uint64_t seed)
{
	uint64_t state = seed | 1;
	uint32_t left;

	for (left = count; left--;) {
		uint64_t random = random_next(&state);
		uint32_t kind = random % KINDS, number, size = random_size(&state);
		unsigned char *at = memory + 8 * (random >> 8 & 0xff);
		uint64_t words[STRUCT_WORDS];
		int i, ret, valid = random >> 52 & 1;

		/* It ends the device, so others come first. */
		if (kind == 2 && left > count / 16)
			kind = 0;
		for (i = 0; i < STRUCT_WORDS; i++)
			words[i] = valid ? structs[kind][i] : random_word(&state, memory);
		if (!valid)
			words[0] = size | (random >> 40 & 7 ? 0 : random_next(&state) << 32);
		for (i = valid ? random >> 53 & 3 : 0; i; i--)
			words[random_next(&state) % STRUCT_WORDS] = random_word(&state, memory);
		if (kind == 3)
			words[1] &= 0xffff;
		number = 0xb700 | kind;
		if (!(random >> 43 & 15)) {
			number = random_next(&state);
			kind = KINDS;
		}
		memcpy(at, words, sizeof(words));
		/* Else what is behind it is garbage. */
		if (valid || random >> 47 & 1)
			memset(at + sizeof(words), 0, 4096);
		if (!(random >> 48 & 15))
			at = (void *)(uintptr_t)random_word(&state, memory);
		ret = ioctl(device, number, at);
		outcomes[kind][ret < 0 ? errno % ERRNOS : 0]++;
	}
	return 0;
}

/* So many bytes behind which nothing is mapped, or NULL. */
EXPORT void *raw_fenced(uint64_t bytes)
{
	unsigned char *memory = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	munmap(memory + bytes, 4096);
	return memory;
}
