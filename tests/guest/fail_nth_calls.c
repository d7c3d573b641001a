// SPDX-License-Identifier: MIT
/*
 * The calls that a model and a driver make, and what each of them needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../kernel/uapi/barkeep.h"
#include "fail_nth.h"

#define PAGE			4096
#define RING_ENTRIES		256
#define BUFFER_BYTES		(2 * PAGE)

static int device = -1;
static struct barkeep_status *status;
static void *mapped = MAP_FAILED;
static char function[32];
static uint64_t dma_address;
static unsigned char buffer[BUFFER_BYTES];

static int outcome(long returned)
{
	return returned < 0 ? -errno : 0;
}

/* A device with all that plug allocates for. */
static uint32_t config[BARKEEP_CONFIG_SIZE / 4], writable[BARKEEP_CONFIG_SIZE / 4];
static uint32_t clearable[BARKEEP_CONFIG_SIZE / 4], notify[BARKEEP_CONFIG_SIZE / 32 / 4];

static struct barkeep_bar bars[BARKEEP_BARS] = {
	[0] = { .bytes = 4 * PAGE },
	[2] = { .bytes = 16 * PAGE, .flags = BARKEEP_BAR_64BIT | BARKEEP_BAR_PREFETCHABLE },
};

static struct barkeep_region regions[] = {
	{ .bar = 0, .offset = PAGE, .bytes = PAGE, .policy = BARKEEP_POLICY_SHADOW },
	{ .bar = 0, .offset = 2 * PAGE, .bytes = PAGE, .policy = BARKEEP_POLICY_MEMORY },
	{ .bar = 2, .offset = 0, .bytes = 16 * PAGE, .policy = BARKEEP_POLICY_SHADOW },
};

static struct barkeep_register registers[] = {
	{ .offset = 0, .width = 4, .count = 1, .readable = 0xffffffff, .write = 0xffffffff },
	{ .offset = 0x100, .width = 4, .count = 16, .stride = 8, .readable = 0xff },
};

static struct barkeep_watch watches[] = {
	{ .bar = 0, .offset = 2 * PAGE, .width = 4 },
};

static struct barkeep_plug plugged(void)
{
	config[0] = 0xc0de1234;
	config[1] = 0x00100000;			/* a list of capabilities */
	config[2] = 0xff000000;
	config[0x34 / 4] = 0x40;
	config[0x3c / 4] = 0x100;		/* INTA# */
	config[0x40 / 4] = 0x01846005;		/* MSI, four vectors, 64-bit, maskable */
	config[0x60 / 4] = 0x00100009;		/* vendor-specific, 16 bytes */
	return (struct barkeep_plug){
		.size = sizeof(struct barkeep_plug),
		.config = (uintptr_t)config,
		.write_mask = (uintptr_t)writable,
		.clear_mask = (uintptr_t)clearable,
		.notify = (uintptr_t)notify,
		.bars = (uintptr_t)bars,
		.regions = (uintptr_t)regions,
		.region_count = ARRAY_SIZE(regions),
		.registers = (uintptr_t)registers,
		.register_count = ARRAY_SIZE(registers),
		.watches = (uintptr_t)watches,
		.watch_count = ARRAY_SIZE(watches),
		.ring_entries = RING_ENTRIES,
		.timeout_us = 1000 * 1000,
		.domain = BARKEEP_ANY,
	};
}

static int call_open(void)
{
	device = open("/dev/barkeep", O_RDWR | O_CLOEXEC);
	return outcome(device);
}

static void open_device(void)
{
	if (call_open())
		die("open: %s", strerror(errno));
}

static int call_plug(void)
{
	struct barkeep_plug plug = plugged();

	return outcome(ioctl(device, BARKEEP_PLUG, &plug));
}

static void await_state(uint32_t state)
{
	time_t deadline = time(NULL) + 120;

	while (__atomic_load_n(&status->state, __ATOMIC_ACQUIRE) < state) {
		if (time(NULL) > deadline)
			die("the device is in state %u, not %u", status->state, state);
		usleep(1000);
	}
	if (status->error)
		die("plug, later: %s", strerror(-status->error));
}

static void map_status(void)
{
	status = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, BARKEEP_MMAP_STATUS);
	if (status == MAP_FAILED)
		die("the status page: %s", strerror(errno));
}

static void plug_device(void)
{
	int ret;

	open_device();
	ret = call_plug();
	if (ret)
		die("plug: %s", strerror(-ret));
	map_status();
	await_state(BARKEEP_STATE_PLUGGED);
	snprintf(function, sizeof(function), "%04x:%02x:%02x.%x", status->domain, status->bus,
		 status->devfn >> 3, status->devfn & 7);
}

static int call_unplug(void)
{
	struct barkeep_unplug unplug = { .size = sizeof(unplug) };

	return outcome(ioctl(device, BARKEEP_UNPLUG, &unplug));
}

static void close_device(void)
{
	if (device >= 0)
		close(device);
	device = -1;
}

static void unplug_device(void)
{
	call_unplug();
	await_state(BARKEEP_STATE_GONE);
	munmap(status, PAGE);
	close_device();
}

/* So that the next one finds free what it takes of what is scarce. */
static void unplug_new_device(void)
{
	map_status();
	unplug_device();
}

static int call_info(void)
{
	struct barkeep_info info = { .size = sizeof(info) };

	return outcome(ioctl(device, BARKEEP_INFO, &info));
}

/* An event is there: that it is plugged. */
static int call_wait(void)
{
	struct barkeep_wait wait = { .size = sizeof(wait) };

	return outcome(ioctl(device, BARKEEP_WAIT, &wait));
}

static int call_wake(void)
{
	struct barkeep_wake wake = { .size = sizeof(wake) };

	return outcome(ioctl(device, BARKEEP_WAKE, &wake));
}

static int irq(uint32_t operation)
{
	struct barkeep_irq argument = { .size = sizeof(argument), .operation = operation };

	return outcome(ioctl(device, BARKEEP_IRQ, &argument));
}

static int call_raise(void)
{
	return irq(BARKEEP_IRQ_RAISE);
}

static int call_assert(void)
{
	return irq(BARKEEP_IRQ_ASSERT);
}

static int call_deassert(void)
{
	return irq(BARKEEP_IRQ_DEASSERT);
}

static int config_call(uint32_t flags, uint32_t offset, uint32_t length)
{
	struct barkeep_config argument = {
		.size = sizeof(argument),
		.flags = flags,
		.offset = offset,
		.length = length,
		.buffer = (uintptr_t)buffer,
	};

	return outcome(ioctl(device, BARKEEP_CONFIG, &argument));
}

static int call_config_read(void)
{
	return config_call(0, 0, BARKEEP_CONFIG_SIZE);
}

static int call_config_write(void)
{
	return config_call(BARKEEP_CONFIG_WRITE, 0x64, 4);
}

static int dma(uint32_t operation)
{
	struct barkeep_dma_segment segments[] = {
		{ dma_address, (uintptr_t)buffer, 8, operation, 0 },
		{ dma_address, (uintptr_t)buffer, sizeof(buffer), operation, 0 },
	};
	struct barkeep_dma argument = {
		.size = sizeof(argument),
		.segments = (uintptr_t)segments,
		.count = ARRAY_SIZE(segments),
	};

	return outcome(ioctl(device, BARKEEP_DMA, &argument));
}

static int call_dma_read(void)
{
	return dma(BARKEEP_DMA_READ);
}

static int call_dma_write(void)
{
	return dma(BARKEEP_DMA_WRITE);
}

static int map(uint64_t offset, size_t bytes, int protection)
{
	mapped = mmap(NULL, bytes, protection, MAP_SHARED, device, offset);
	return mapped == MAP_FAILED ? -errno : 0;
}

static int call_map_status(void)
{
	return map(BARKEEP_MMAP_STATUS, BARKEEP_STATUS_SIZE, PROT_READ);
}

static int call_map_control(void)
{
	return map(BARKEEP_MMAP_CONTROL, BARKEEP_CONTROL_SIZE, PROT_READ | PROT_WRITE);
}

static int call_map_ring(void)
{
	return map(BARKEEP_MMAP_RING, RING_ENTRIES * sizeof(struct barkeep_event), PROT_READ);
}

static int call_map_completions(void)
{
	return map(BARKEEP_MMAP_COMPLETIONS, BARKEEP_COMPLETIONS_SIZE, PROT_READ | PROT_WRITE);
}

static int call_map_bar(void)
{
	return map(BARKEEP_MMAP_BAR(0), 4 * PAGE, PROT_READ | PROT_WRITE);
}

static void unmap_ring(void)
{
	munmap(mapped, RING_ENTRIES * sizeof(struct barkeep_event));
}

static void unmap_page(void)
{
	munmap(mapped, PAGE);
}

static void unmap_bar(void)
{
	munmap(mapped, 4 * PAGE);
}

/* Although something in the plug failed. */
static void plug_is_whole(void)
{
	int ret;

	map_status();
	await_state(BARKEEP_STATE_PLUGGED);
	ret = call_map_ring();
	if (!ret) {
		unmap_ring();
		ret = call_map_bar();
	}
	if (ret)
		die("a plug that succeeded: %s", strerror(-ret));
	/* What is watched, and what is shadow. */
	((volatile unsigned char *)mapped)[2 * PAGE] = 1;
	((volatile unsigned char *)mapped)[PAGE] = 1;
	unmap_bar();
	munmap(status, PAGE);
}

/* What the driver does meets our code too, and in the process that has it do it. */
static int call_bind(void)
{
	return write_file("/sys/bus/pci/drivers/exerciser/bind", function);
}

static void override(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", function);
	must_write(path, "exerciser");
}

static void unbind(void)
{
	must_write("/sys/bus/pci/drivers/exerciser/unbind", function);
}

static void bind_driver(void)
{
	override();
	if (call_bind())
		die("the exerciser does not bind");
}

static int command(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/exerciser/%s", function);
	return write_file(path, text);
}

static void must_command(const char *text)
{
	int ret = command(text);

	if (ret)
		die("the driver's %s: %s", text, strerror(-ret));
}

/* The bus address of the memory that it has mapped last. */
static uint64_t buffer_address(void)
{
	char path[128], text[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/exerciser/%s", function);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%63s", text) != 1)
		die("the driver has no answer");
	fclose(file);
	return strtoull(text, NULL, 0);
}

static void free_buffer(void)
{
	char text[64];

	snprintf(text, sizeof(text), "unmap %#llx", (unsigned long long)buffer_address());
	must_command(text);
}

static int call_vectors(void)
{
	return command("vectors 4");
}

static void free_vectors(void)
{
	must_command("vectors 0");
}

static int call_intx(void)
{
	return command("intx 1");
}

static int call_dma_map(void)
{
	return command("map both 8192");
}

static int call_dma_alloc(void)
{
	return command("alloc 8192");
}

/* Of a register, so that it needs no model. */
static int call_driver_read(void)
{
	return command("read 0 0 4");
}

static void rebind(void)
{
	unbind();
	bind_driver();
}

/* Of a device as a whole. */
static const struct call life[] = {
	{ "open", { ENOMEM, EFAULT }, call_open, NULL, close_device, NULL },
	{ "plug", { ENOMEM, EFAULT }, call_plug, open_device, NULL, unplug_new_device,
	  true, plug_is_whole },
	{ "unplug", { EFAULT }, call_unplug, plug_device, NULL, unplug_device },
	{ 0 },
};

/* Of a driver that is not bound. */
static const struct call binding[] = {
	{ "bind", { ENOMEM, EFAULT, EBUSY }, call_bind, NULL, unbind, NULL },
	{ 0 },
};

/* Of one that is. */
static const struct call driving[] = {
	{ "vectors", { ENOMEM, EFAULT, ENOSPC }, call_vectors, NULL, free_vectors, NULL },
	{ "intx", { ENOMEM, EFAULT, ENOSPC }, call_intx, NULL, free_vectors, NULL },
	{ "dma map", { ENOMEM, EFAULT }, call_dma_map, NULL, free_buffer, NULL },
	{ "dma alloc", { ENOMEM, EFAULT }, call_dma_alloc, NULL, free_buffer, NULL },
	{ "ioremap", { ENOMEM, EFAULT }, call_driver_read, NULL, rebind, NULL },
	{ 0 },
};

/* Of a model whose driver has vectors and memory. */
static const struct call modelling[] = {
	{ "info", { EFAULT }, call_info, NULL, NULL, NULL },
	{ "wait", { EFAULT }, call_wait, NULL, NULL, NULL },
	{ "wake", { EFAULT }, call_wake, NULL, NULL, NULL },
	{ "raise", { EFAULT }, call_raise, NULL, NULL, NULL },
	{ "assert", { EFAULT }, call_assert, NULL, NULL, NULL },
	{ "deassert", { EFAULT }, call_deassert, NULL, NULL, NULL },
	{ "config read", { ENOMEM, EFAULT }, call_config_read, NULL, NULL, NULL },
	{ "config write", { ENOMEM, EFAULT }, call_config_write, NULL, NULL, NULL },
	{ "dma read", { EFAULT }, call_dma_read, NULL, NULL, NULL },
	{ "dma write", { EFAULT }, call_dma_write, NULL, NULL, NULL },
	{ "mmap status", { ENOMEM }, call_map_status, NULL, unmap_page, NULL },
	{ "mmap control", { ENOMEM }, call_map_control, NULL, unmap_page, NULL },
	{ "mmap ring", { ENOMEM }, call_map_ring, NULL, unmap_ring, NULL },
	{ "mmap completions", { ENOMEM }, call_map_completions, NULL, unmap_page, NULL },
	{ "mmap bar", { ENOMEM }, call_map_bar, NULL, unmap_bar, NULL },
	{ 0 },
};

static void have_device(void)
{
	plug_device();
	override();
}

static void have_memory(void)
{
	must_command("vectors 4");
	must_command("map both 8192");
	dma_address = buffer_address();
}

const struct calls all_calls[] = {
	{ life, NULL },
	{ binding, have_device },
	{ driving, bind_driver },
	{ modelling, have_memory },
};

const unsigned int all_calls_count = ARRAY_SIZE(all_calls);

void calls_end(void)
{
	unplug_device();
}
