// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "barkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* No device's token: the eventfd, and the stream's own socket. */
#define TOKEN_INTERRUPT	0xffffffffU
#define TOKEN_HANGUP	0xfffffffeU

#define WAIT_BATCH	64

_Static_assert(sizeof(struct barkeep_event) == 64, "one cache line");
_Static_assert(sizeof(struct barkeep_completion) == 64, "one cache line");
_Static_assert(sizeof(struct barkeep_control) == 128, "two cache lines");
_Static_assert(sizeof(struct barkeep_status) <= BARKEEP_STATUS_SIZE, "fits its page");
_Static_assert(sizeof(struct barkeep_completion) * BARKEEP_SLOTS ==
	       BARKEEP_COMPLETIONS_SIZE, "fills its page");
_Static_assert(sizeof(struct barkeep_plug) == 96, "no padding");
_Static_assert(sizeof(struct barkeep_register) == 104, "no padding");
_Static_assert(sizeof(struct barkeep_watch) == 32, "no padding");
_Static_assert(sizeof(struct barkeep_dma) == 56, "no padding");

struct constant {
	const char *name;
	uint64_t value;
};

#define VALUE(name)		{ #name, BARKEEP_##name }
#define SIZE(type)		{ "sizeof " #type, sizeof(struct barkeep_##type) }
#define OFFSET(type, field)	{ #type "." #field, offsetof(struct barkeep_##type, field) }

static const struct constant constants[] = {
	VALUE(ABI),
	VALUE(CONFIG_SIZE),
	VALUE(BARS),
	VALUE(SLOTS),
	VALUE(RING_MIN),
	VALUE(RING_MAX),
	VALUE(REGIONS_MAX),
	VALUE(WATCHES_MAX),
	VALUE(DMA_SEGMENTS_MAX),
	VALUE(REGISTERS_MAX),
	VALUE(ELEMENTS_MAX),
	VALUE(BAR_BYTES_MAX),
	VALUE(TIMEOUT_MAX_US),
	VALUE(ANY),
	VALUE(NO_SLOT),
	VALUE(STATUS_SIZE),
	VALUE(CONTROL_SIZE),
	VALUE(COMPLETIONS_SIZE),
	{ "PIECE_STATUS", BARKEEP_MMAP_STATUS >> 40 },
	{ "PIECE_CONTROL", BARKEEP_MMAP_CONTROL >> 40 },
	{ "PIECE_RING", BARKEEP_MMAP_RING >> 40 },
	{ "PIECE_COMPLETIONS", BARKEEP_MMAP_COMPLETIONS >> 40 },
	{ "PIECE_BAR", BARKEEP_MMAP_BAR(0) >> 40 },
	VALUE(STATE_PLUGGED),
	VALUE(STATE_GONE),
	VALUE(EVENT_READ),
	VALUE(EVENT_WRITE),
	VALUE(EVENT_CONFIG),
	VALUE(EVENT_COMMAND),
	VALUE(EVENT_POWER),
	VALUE(EVENT_RESET),
	VALUE(EVENT_VECTOR),
	VALUE(EVENT_FAULT),
	VALUE(EVENT_PLUGGED),
	VALUE(EVENT_UNPLUGGED),
	VALUE(RESET_FLR),
	VALUE(RESET_D3HOT),
	VALUE(FAULT_READ_TIMEOUT),
	VALUE(FAULT_UNDECODABLE),
	VALUE(FAULT_LINK),
	VALUE(FAULT_MEMORY),
	VALUE(FAULT_WRITE_TIMEOUT),
	VALUE(COMPLETION_SUCCESSFUL),
	VALUE(COMPLETION_UNSUPPORTED),
	VALUE(BAR_64BIT),
	VALUE(BAR_PREFETCHABLE),
	VALUE(POLICY_TRAP),
	VALUE(POLICY_SHADOW),
	VALUE(POLICY_MEMORY),
	VALUE(REGISTER_TELL_READ),
	VALUE(REGISTER_TELL_WRITE),
	VALUE(REGISTER_WAIT_READ),
	VALUE(REGISTER_WAIT_WRITE),
	VALUE(REGISTER_EXACT),
	VALUE(PLUG_DMA_DIRECT),
	VALUE(UNPLUG_SURPRISE),
	VALUE(IRQ_RAISE),
	VALUE(IRQ_ASSERT),
	VALUE(IRQ_DEASSERT),
	VALUE(CONFIG_WRITE),
	VALUE(DMA_READ),
	VALUE(DMA_WRITE),
	VALUE(DMA_UNMAPPED),
	VALUE(DMA_PAST_END),
	VALUE(DMA_DIRECTION),
	VALUE(DMA_STALE),
	VALUE(DMA_NO_MASTER),
	SIZE(event),
	OFFSET(event, sequence),
	OFFSET(event, kind),
	OFFSET(event, bar),
	OFFSET(event, width),
	OFFSET(event, offset),
	OFFSET(event, value),
	OFFSET(event, value_high),
	OFFSET(event, time),
	OFFSET(event, cpu),
	OFFSET(event, slot),
	OFFSET(event, ticket),
	OFFSET(event, reg),
	OFFSET(event, byte_enables),
	SIZE(completion),
	OFFSET(completion, value),
	OFFSET(completion, value_high),
	OFFSET(completion, status),
	OFFSET(completion, ticket),
	OFFSET(control, head),
	OFFSET(control, sleeping),
	OFFSET(status, state),
	OFFSET(status, error),
	OFFSET(status, domain),
	OFFSET(status, bus),
	OFFSET(status, devfn),
	OFFSET(status, command),
	OFFSET(status, vectors),
	OFFSET(status, power),
	OFFSET(status, sleepers),
	OFFSET(status, timeouts),
	OFFSET(status, undecodable),
	OFFSET(status, refused_dma),
	OFFSET(status, waiting),
	SIZE(bar),
	OFFSET(bar, bytes),
	OFFSET(bar, flags),
	SIZE(region),
	OFFSET(region, offset),
	OFFSET(region, bytes),
	OFFSET(region, bar),
	OFFSET(region, policy),
	SIZE(register),
	OFFSET(register, offset),
	OFFSET(register, reset),
	OFFSET(register, readable),
	OFFSET(register, write),
	OFFSET(register, write_one_clear),
	OFFSET(register, write_one_set),
	OFFSET(register, write_zero_clear),
	OFFSET(register, read_clear),
	OFFSET(register, read_set),
	OFFSET(register, bar),
	OFFSET(register, width),
	OFFSET(register, count),
	OFFSET(register, stride),
	OFFSET(register, flags),
	SIZE(watch),
	OFFSET(watch, offset),
	OFFSET(watch, bar),
	OFFSET(watch, width),
	SIZE(dma_segment),
	OFFSET(dma_segment, address),
	OFFSET(dma_segment, buffer),
	OFFSET(dma_segment, length),
	OFFSET(dma_segment, operation),
	SIZE(dma),
	OFFSET(dma, done),
	OFFSET(dma, reason),
	OFFSET(dma, nearest_direction),
	OFFSET(dma, address),
	OFFSET(dma, nearest_address),
	OFFSET(dma, nearest_length),
};

EXPORT int barkeep_constants(char *text, uint32_t size)
{
	uint32_t used = 0;

	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++) {
		int length = snprintf(text + used, size - used, "%s %llu\n", constants[i].name,
				      (unsigned long long)constants[i].value);

		if (length < 0 || (uint32_t)length >= size - used)
			return -ENOSPC;
		used += (uint32_t)length;
	}
	return (int)used;
}

static int result(int returned)
{
	return returned < 0 ? -errno : returned;
}

EXPORT int barkeep_open(const char *path)
{
	return result(open(path, O_RDWR | O_CLOEXEC));
}

EXPORT int barkeep_close(int device)
{
	return result(close(device));
}

EXPORT int barkeep_info(int device, uint32_t out[2])
{
	struct barkeep_info arg = { .size = sizeof(arg) };
	int error = result(ioctl(device, BARKEEP_INFO, &arg));

	out[0] = arg.abi;
	out[1] = arg.page_size;
	return error;
}

EXPORT int barkeep_plug(int device, uint32_t numbers[7], const void *config,
			const void *write_mask, const void *clear_mask,
			const void *notify, const struct barkeep_bar *bars,
			const struct barkeep_region *regions,
			const struct barkeep_register *registers,
			const struct barkeep_watch *watches)
{
	struct barkeep_plug arg = {
		.size = sizeof(arg),
		.flags = numbers[0],
		.config = (uintptr_t)config,
		.write_mask = (uintptr_t)write_mask,
		.clear_mask = (uintptr_t)clear_mask,
		.notify = (uintptr_t)notify,
		.bars = (uintptr_t)bars,
		.regions = (uintptr_t)regions,
		.region_count = numbers[1],
		.ring_entries = numbers[2],
		.timeout_us = numbers[3],
		.domain = numbers[4],
		.registers = (uintptr_t)registers,
		.watches = (uintptr_t)watches,
		.register_count = numbers[5],
		.watch_count = numbers[6],
	};
	int error = result(ioctl(device, BARKEEP_PLUG, &arg));

	numbers[4] = arg.domain;
	return error;
}

EXPORT int barkeep_unplug(int device, uint32_t flags)
{
	struct barkeep_unplug arg = { .size = sizeof(arg), .flags = flags };

	return result(ioctl(device, BARKEEP_UNPLUG, &arg));
}

EXPORT int barkeep_map(int device, uint32_t piece, uint32_t bytes, uint32_t writable,
		       uint64_t *address)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
			    device, (off_t)piece << 40);

	if (mapped == MAP_FAILED)
		return -errno;
	*address = (uintptr_t)mapped;
	return 0;
}

EXPORT int barkeep_retire(const uint64_t *address, uint32_t bytes)
{
	void *mapped = mmap((void *)(uintptr_t)*address, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

	return mapped == MAP_FAILED ? -errno : 0;
}

EXPORT int barkeep_wake(int device)
{
	struct barkeep_wake arg = { .size = sizeof(arg) };

	return result(ioctl(device, BARKEEP_WAKE, &arg));
}

EXPORT int barkeep_irq(int device, uint32_t operation, uint32_t vector)
{
	struct barkeep_irq arg = {
		.size = sizeof(arg),
		.operation = operation,
		.vector = vector,
	};

	return result(ioctl(device, BARKEEP_IRQ, &arg));
}

EXPORT int barkeep_config(int device, uint32_t flags, uint32_t offset, uint32_t length,
			  void *buffer)
{
	struct barkeep_config arg = {
		.size = sizeof(arg),
		.flags = flags,
		.offset = offset,
		.length = length,
		.buffer = (uintptr_t)buffer,
	};

	return result(ioctl(device, BARKEEP_CONFIG, &arg));
}

EXPORT int barkeep_dma(int device, const struct barkeep_dma_segment *segments, uint32_t count,
		       struct barkeep_dma *out)
{
	*out = (struct barkeep_dma){
		.size = sizeof(*out),
		.segments = (uintptr_t)segments,
		.count = count,
	};
	return result(ioctl(device, BARKEEP_DMA, out));
}

static int watch(int epoll, int file, uint32_t events, uint32_t token)
{
	struct epoll_event event = { .events = events, .data.u32 = token };

	return result(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event));
}

EXPORT int barkeep_waiter_create(int32_t waiter[2])
{
	int error;

	waiter[0] = epoll_create1(EPOLL_CLOEXEC);
	if (waiter[0] < 0)
		return -errno;
	waiter[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = waiter[1] < 0 ? -errno :
		watch(waiter[0], waiter[1], EPOLLIN, TOKEN_INTERRUPT);
	if (error < 0) {
		if (waiter[1] >= 0)
			close(waiter[1]);
		close(waiter[0]);
	}
	return error;
}

EXPORT int barkeep_waiter_close(const int32_t waiter[2])
{
	close(waiter[1]);
	return result(close(waiter[0]));
}

EXPORT int barkeep_waiter_arm(const int32_t waiter[2], int device, uint32_t token)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u32 = token };

	if (epoll_ctl(waiter[0], EPOLL_CTL_MOD, device, &event) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return result(epoll_ctl(waiter[0], EPOLL_CTL_ADD, device, &event));
}

EXPORT int barkeep_waiter_disarm(const int32_t waiter[2], int device)
{
	if (epoll_ctl(waiter[0], EPOLL_CTL_DEL, device, NULL) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

/* As barkeep_waiter_wait(), but -EPIPE once the stream's socket hangs up. */
static int wait_tokens(const int32_t waiter[2], uint32_t *tokens, uint32_t count)
{
	struct epoll_event events[WAIT_BATCH];
	int ready, found = 0;
	uint64_t ignored;

	do {
		ready = epoll_wait(waiter[0], events, count < WAIT_BATCH ? (int)count : WAIT_BATCH,
				   -1);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	for (int i = 0; i < ready; i++) {
		uint32_t token = events[i].data.u32;

		if (token == TOKEN_HANGUP)
			return -EPIPE;
		if (token == TOKEN_INTERRUPT) {
			if (read(waiter[1], &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
				return -errno;
		} else {
			tokens[found++] = token;
		}
	}
	return found;
}

EXPORT int barkeep_waiter_wait(const int32_t waiter[2], uint32_t *tokens, uint32_t count)
{
	return wait_tokens(waiter, tokens, count);
}

EXPORT int barkeep_waiter_interrupt(const int32_t waiter[2])
{
	uint64_t one = 1;

	return write(waiter[1], &one, sizeof(one)) < 0 ? -errno : 0;
}

struct stream {
	int32_t waiter[2];
	int socket;
};

static void *stream_run(void *argument)
{
	struct stream *stream = argument;
	uint32_t tokens[WAIT_BATCH];

	for (;;) {
		const char *data = (const char *)tokens;
		size_t left;
		int found = wait_tokens(stream->waiter, tokens, WAIT_BATCH);

		if (found < 0)
			break;
		left = (size_t)found * sizeof(*tokens);
		while (left > 0) {
			ssize_t sent = send(stream->socket, data, left, MSG_NOSIGNAL);

			if (sent < 0 && errno == EINTR)
				continue;
			if (sent < 0)
				goto out;
			data += sent;
			left -= (size_t)sent;
		}
	}
out:
	close(stream->socket);
	barkeep_waiter_close(stream->waiter);
	free(stream);
	return NULL;
}

EXPORT int barkeep_waiter_stream(const int32_t waiter[2])
{
	struct stream *stream = malloc(sizeof(*stream));
	sigset_t all, before;
	pthread_t thread;
	int sockets[2], error;

	if (!stream)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
		error = errno;
		goto free_stream;
	}
	*stream = (struct stream){ .waiter = { waiter[0], waiter[1] }, .socket = sockets[1] };
	error = -watch(waiter[0], sockets[1], EPOLLRDHUP, TOKEN_HANGUP);
	if (error)
		goto close_sockets;
	if (fcntl(sockets[0], F_SETFL, O_NONBLOCK) < 0) {
		error = errno;
		goto close_sockets;
	}
	/* Signals are the runtime's: its own threads have to get them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, stream_run, stream);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		goto close_sockets;
	pthread_detach(thread);
	return sockets[0];

close_sockets:
	close(sockets[0]);
	close(sockets[1]);
free_stream:
	free(stream);
	return -error;
}
