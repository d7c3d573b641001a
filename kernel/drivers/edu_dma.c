// SPDX-License-Identifier: GPL-2.0-only
/* What the edu driver finds out about a device's DMA, coherent and streaming. */
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/string.h>

#include "edu.h"

/* The caller may give the memory back after any return: DMA is over, or off. */
static int edu_dma(struct edu_device *edu, u64 source, u64 destination, u64 count, u32 command)
{
	u32 status;
	int error;

	edu_forget_interrupts(edu);
	writeq(source, edu->regs + EDU_DMA_SOURCE);
	writeq(destination, edu->regs + EDU_DMA_DESTINATION);
	writeq(count, edu->regs + EDU_DMA_COUNT);
	/* Orders the stores to the buffer before it, as all writel() do. */
	writel(command | EDU_DMA_RUN, edu->regs + EDU_DMA_COMMAND);
	if (command & EDU_DMA_INTERRUPT) {
		status = edu_wait_interrupt(edu);
		if (status != EDU_IRQ_DMA) {
			pci_clear_master(edu->pdev);
			return edu_fail(edu, "dma interrupt status is 0x%08x", status);
		}
	}
	error = read_poll_timeout(readl, status,
				  edu_gone(edu, status) || !(status & EDU_DMA_RUN),
				  1000, EDU_TIMEOUT_MS * USEC_PER_MSEC, false,
				  edu->regs + EDU_DMA_COMMAND);
	if (!error && !edu_gone(edu, status))
		return 0;
	pci_clear_master(edu->pdev);
	if (error)
		return edu_fail(edu, "dma not done in %d ms", EDU_TIMEOUT_MS);
	return edu_fail(edu, "device is gone");
}

static void edu_fill(u8 *buffer, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < EDU_BUFFER_SIZE; i++)
		buffer[i] = seed + i * 7 + (i >> 8);
}

/* Moves EDU_BUFFER_SIZE bytes to the device and back, by two bus addresses. */
static int edu_dma_out_and_back(struct edu_device *edu, u64 out, u64 back, u32 command)
{
	unsigned int done;
	int error;

	for (done = 0; done < EDU_BUFFER_SIZE; done += EDU_CHUNK) {
		/* Each chunk elsewhere in the device's memory. */
		u64 buffer = EDU_BUFFER + done / 2;

		error = edu_dma(edu, out + done, buffer, EDU_CHUNK, command);
		if (error)
			return error;
		error = edu_dma(edu, buffer, back + done, EDU_CHUNK, command | EDU_DMA_TO_HOST);
		if (error)
			return error;
	}
	return 0;
}

int edu_test_coherent(struct edu_device *edu)
{
	u8 *out = edu->coherent;
	u8 *back = out + EDU_BUFFER_SIZE;
	u64 address = edu->coherent_address;
	u64 back_address = address + EDU_BUFFER_SIZE;
	int error;

	edu_fill(out, 1);
	memset(back, 0, EDU_BUFFER_SIZE);
	error = edu_dma_out_and_back(edu, address, back_address, 0);
	if (error)
		return error;
	if (memcmp(out, back, EDU_BUFFER_SIZE))
		return edu_fail(edu, "dma came back with other bytes");
	edu_note(edu, "dma %d bytes out and back ok", EDU_BUFFER_SIZE);
	edu_note(edu, "dma registers afterwards: destination %s, count = %u, command = 0x%x",
		 readq(edu->regs + EDU_DMA_DESTINATION) == back_address + EDU_CHUNK ?
		 "kept" : "changed",
		 readl(edu->regs + EDU_DMA_COUNT), readl(edu->regs + EDU_DMA_COMMAND));

	/* From the middle of the last chunk, and not one byte more. */
	memset(back, 0, EDU_BUFFER_SIZE);
	error = edu_dma(edu, EDU_BUFFER + EDU_CHUNK / 2 + 1001, back_address + 3, 100,
			EDU_DMA_TO_HOST);
	if (error)
		return error;
	if (memcmp(back + 3, out + EDU_CHUNK + 1001, 100) ||
	    memchr_inv(back, 0, 3) || memchr_inv(back + 103, 0, EDU_BUFFER_SIZE - 103))
		return edu_fail(edu, "dma of 100 bytes moved others");
	edu_note(edu, "dma 100 bytes at odd addresses ok");
	return 0;
}

int edu_test_streaming(struct edu_device *edu)
{
	struct device *dev = &edu->pdev->dev;
	dma_addr_t out, back;
	int error;

	edu_fill(edu->out, 2);
	memset(edu->back, 0, EDU_BUFFER_SIZE);
	out = dma_map_single(dev, edu->out, EDU_BUFFER_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, out))
		return edu_fail(edu, "cannot map memory for dma to the device");
	back = dma_map_single(dev, edu->back, EDU_BUFFER_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, back)) {
		dma_unmap_single(dev, out, EDU_BUFFER_SIZE, DMA_TO_DEVICE);
		return edu_fail(edu, "cannot map memory for dma from the device");
	}
	error = edu_dma_out_and_back(edu, out, back, EDU_DMA_INTERRUPT);
	dma_unmap_single(dev, back, EDU_BUFFER_SIZE, DMA_FROM_DEVICE);
	dma_unmap_single(dev, out, EDU_BUFFER_SIZE, DMA_TO_DEVICE);
	if (error)
		return error;
	if (memcmp(edu->out, edu->back, EDU_BUFFER_SIZE))
		return edu_fail(edu, "streaming dma came back with other bytes");
	edu_note(edu, "streaming dma %d bytes out and back ok, with interrupts", EDU_BUFFER_SIZE);
	return 0;
}
