/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the edu driver share; edu_main.c says what it is. */
#ifndef _EDU_H
#define _EDU_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#define EDU_ID			0x00	/* ro: major << 24 | minor << 16 | 0xed */
#define EDU_LIVENESS		0x04	/* rw: reads as the inverse */
#define EDU_FACTORIAL		0x08	/* rw: write n, read n! */
#define EDU_STATUS		0x20	/* rw */
#define EDU_STATUS_COMPUTING	BIT(0)
#define EDU_STATUS_INTERRUPT	BIT(7)	/* interrupt when computed */
#define EDU_IRQ_STATUS		0x24	/* ro */
#define EDU_IRQ_FACTORIAL	BIT(0)
#define EDU_IRQ_DMA		BIT(8)
#define EDU_IRQ_RAISE		0x60	/* wo: sets bits of the status */
#define EDU_IRQ_ACKNOWLEDGE	0x64	/* wo: clears them */
#define EDU_DMA_SOURCE		0x80	/* rw, as all that follow: 4 or 8 bytes */
#define EDU_DMA_DESTINATION	0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_RUN		BIT(0)
#define EDU_DMA_TO_HOST		BIT(1)
#define EDU_DMA_INTERRUPT	BIT(2)

/* The device's own memory, on its side of the DMA engine. */
#define EDU_BUFFER		0x40000
#define EDU_BUFFER_SIZE		4096
/* Older QEMUs abort on a transfer that includes the last byte of that memory. */
#define EDU_CHUNK		2048

/* Generous: the device may be emulated, on a busy machine. */
#define EDU_TIMEOUT_MS		10000

/**
 * struct edu_device - a device and what was found out about it
 * @pdev: the function
 * @regs: BAR 0
 * @irq: Linux interrupt number
 * @interrupted: an interrupt was acknowledged
 * @lock: taken by the interrupt handler
 * @pending: bits of the interrupt status acknowledged, not yet looked at
 * @interrupts: how many, since the item began
 * @coherent: two pages for DMA
 * @coherent_address: its bus address
 * @out: buffer for streaming DMA
 * @back: the same
 * @test: one self-test at a time
 * @length: of @report
 * @report: facts, one a line
 */
struct edu_device {
	struct pci_dev *pdev;
	void __iomem *regs;
	int irq;
	struct completion interrupted;
	spinlock_t lock;	/* protects pending and interrupts */
	u32 pending;
	unsigned int interrupts;
	void *coherent;
	dma_addr_t coherent_address;
	u8 *out;
	u8 *back;
	struct mutex test;	/* protects length and report */
	size_t length;
	char report[3072];
};

/* All-ones is what a device reads as that is gone, or did not answer in time. */
static inline bool edu_gone(struct edu_device *edu, u32 value)
{
	return PCI_POSSIBLE_ERROR(value) && !pci_device_is_present(edu->pdev);
}

/* edu_selftest.c: the verdict, with edu->test held */
void edu_selftest(struct edu_device *edu);
__printf(2, 3) void edu_note(struct edu_device *edu, const char *format, ...);
void edu_forget_interrupts(struct edu_device *edu);
u32 edu_wait_interrupt(struct edu_device *edu);

/* For the verdict: an item notes why it failed and returns this. */
#define edu_fail(edu, format, ...) \
	({ edu_note(edu, "failed: " format, ##__VA_ARGS__); -EIO; })

/* edu_dma.c: items of it */
int edu_test_coherent(struct edu_device *edu);
int edu_test_streaming(struct edu_device *edu);

#endif
