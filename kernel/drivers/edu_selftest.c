// SPDX-License-Identifier: GPL-2.0-only
/* What the edu driver finds out about a device, but for DMA. */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>

#include "edu.h"

void edu_note(struct edu_device *edu, const char *format, ...)
{
	char *line = edu->report + edu->length;
	va_list args;

	va_start(args, format);
	edu->length += vscnprintf(line, sizeof(edu->report) - edu->length - 1, format, args);
	va_end(args);
	dev_info(&edu->pdev->dev, "%s\n", line);
	edu->report[edu->length++] = '\n';
	edu->report[edu->length] = '\0';
}

void edu_forget_interrupts(struct edu_device *edu)
{
	spin_lock_irq(&edu->lock);
	edu->pending = 0;
	edu->interrupts = 0;
	spin_unlock_irq(&edu->lock);
	reinit_completion(&edu->interrupted);
}

/* Returns the status bits that came with the next interrupt, 0 if none came. */
u32 edu_wait_interrupt(struct edu_device *edu)
{
	unsigned int waited;
	u32 status;

	/* A device that was pulled raises none; that is not worth the whole time. */
	for (waited = 0; waited < EDU_TIMEOUT_MS; waited += 500)
		if (wait_for_completion_timeout(&edu->interrupted, msecs_to_jiffies(500)) ||
		    !pci_device_is_present(edu->pdev))
			break;
	spin_lock_irq(&edu->lock);
	status = edu->pending;
	edu->pending = 0;
	spin_unlock_irq(&edu->lock);
	return status;
}

static int edu_test_identity(struct edu_device *edu)
{
	struct pci_dev *pdev = edu->pdev;
	u32 id = readl(edu->regs + EDU_ID);

	edu_note(edu, "id 0x%08x", id);
	edu_note(edu, "class = 0x%06x, revision = 0x%02x", pdev->class, pdev->revision);
	edu_note(edu, "subsystem = %04x:%04x", pdev->subsystem_vendor, pdev->subsystem_device);
	edu_note(edu, "bar 0 = %llu bytes", (u64)pci_resource_len(pdev, 0));
	return (id & 0xff) == 0xed ? 0 : edu_fail(edu, "not an edu device");
}

static int edu_test_liveness(struct edu_device *edu)
{
	static const u32 values[] = { 0, 0xffffffff, 0x12345678, 0x80000001, 0x55aa55aa };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		u32 answer;

		writel(values[i], edu->regs + EDU_LIVENESS);
		answer = readl(edu->regs + EDU_LIVENESS);
		if (answer != ~values[i])
			return edu_fail(edu, "liveness of 0x%08x is 0x%08x", values[i], answer);
	}
	edu_note(edu, "liveness ok");
	return 0;
}

static int edu_wait_computed(struct edu_device *edu)
{
	u32 status;
	int error = read_poll_timeout(readl, status,
				      edu_gone(edu, status) ||
				      !(status & EDU_STATUS_COMPUTING),
				      100, EDU_TIMEOUT_MS * USEC_PER_MSEC, false,
				      edu->regs + EDU_STATUS);

	if (error)
		return edu_fail(edu, "factorial not computed in %d ms", EDU_TIMEOUT_MS);
	return edu_gone(edu, status) ? edu_fail(edu, "device is gone") : 0;
}

static int edu_test_factorial(struct edu_device *edu)
{
	/* From 13 on, the result is the lower half. */
	static const u32 values[] = { 10, 0, 1, 12, 13, 40 };
	unsigned int i;
	u32 status;
	int error;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		writel(values[i], edu->regs + EDU_FACTORIAL);
		error = edu_wait_computed(edu);
		if (error)
			return error;
		edu_note(edu, "factorial(%u) = %u", values[i], readl(edu->regs + EDU_FACTORIAL));
	}

	edu_forget_interrupts(edu);
	writel(EDU_STATUS_INTERRUPT, edu->regs + EDU_STATUS);
	writel(11, edu->regs + EDU_FACTORIAL);
	status = edu_wait_interrupt(edu);
	if (status != EDU_IRQ_FACTORIAL)
		return edu_fail(edu, "factorial interrupt status is 0x%08x", status);
	edu_note(edu, "factorial(11) with interrupt = %u", readl(edu->regs + EDU_FACTORIAL));

	writel(0xffffffff, edu->regs + EDU_STATUS);
	edu_note(edu, "status after writing all-ones = 0x%08x", readl(edu->regs + EDU_STATUS));
	writel(0, edu->regs + EDU_STATUS);
	edu_note(edu, "status after writing 0 = 0x%08x", readl(edu->regs + EDU_STATUS));
	return 0;
}

static int edu_test_interrupts(struct edu_device *edu)
{
	static const u32 values[] = { 0x1, 0x80000000, 0x12345678 };
	unsigned int i, count;
	u32 status;

	edu_forget_interrupts(edu);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		writel(values[i], edu->regs + EDU_IRQ_RAISE);
		status = edu_wait_interrupt(edu);
		if (status != values[i])
			return edu_fail(edu, "interrupt 0x%08x came as 0x%08x", values[i], status);
	}
	/* Time for one too many. */
	msleep(20);
	spin_lock_irq(&edu->lock);
	count = edu->interrupts;
	spin_unlock_irq(&edu->lock);
	if (count != ARRAY_SIZE(values))
		return edu_fail(edu, "%u interrupts for %zu", count, ARRAY_SIZE(values));
	edu_note(edu, "%u interrupts (%s)", count, edu->pdev->msi_enabled ? "MSI" : "INTx");

	disable_irq(edu->irq);
	writel(0x11, edu->regs + EDU_IRQ_RAISE);
	writel(0x22, edu->regs + EDU_IRQ_RAISE);
	edu_note(edu, "irq status after raising 0x11 and 0x22 = 0x%08x",
		 readl(edu->regs + EDU_IRQ_STATUS));
	writel(0x103, edu->regs + EDU_IRQ_ACKNOWLEDGE);
	edu_note(edu, "irq status after acknowledging 0x103 = 0x%08x",
		 readl(edu->regs + EDU_IRQ_STATUS));
	writel(0xffffffff, edu->regs + EDU_IRQ_ACKNOWLEDGE);
	edu_note(edu, "irq status after acknowledging all = 0x%08x",
		 readl(edu->regs + EDU_IRQ_STATUS));
	enable_irq(edu->irq);
	return 0;
}

static int edu_test_dma_registers(struct edu_device *edu)
{
	static const struct {
		const char *name;
		unsigned int at;
	} registers[] = {
		{ "source", EDU_DMA_SOURCE },
		{ "destination", EDU_DMA_DESTINATION },
		{ "count", EDU_DMA_COUNT },
		{ "command", EDU_DMA_COMMAND },
	};
	unsigned int i;

	/* The command would not run, so it is not taken. */
	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		void __iomem *reg = edu->regs + registers[i].at;

		writeq(0x0123456789abcdeeULL, reg);
		edu_note(edu, "dma %s: 64 bits = 0x%016llx, 32 bits = 0x%08x, upper = 0x%08x",
			 registers[i].name, readq(reg), readl(reg), readl(reg + 4));
		writel(0x11223344, reg);
		edu_note(edu, "dma %s after a 32-bit write = 0x%016llx", registers[i].name,
			 readq(reg));
	}
	return 0;
}

static int edu_test_widths(struct edu_device *edu)
{
	void __iomem *regs = edu->regs;

	writel(0, regs + EDU_LIVENESS);
	edu_note(edu, "id in 8 bits = 0x%02x", readb(regs + EDU_ID));
	edu_note(edu, "id in 16 bits = 0x%04x", readw(regs + EDU_ID));
	edu_note(edu, "id in 64 bits = 0x%016llx", readq(regs + EDU_ID));
	edu_note(edu, "dma source in 8 bits = 0x%02x", readb(regs + EDU_DMA_SOURCE));
	edu_note(edu, "dma source in 16 bits = 0x%04x", readw(regs + EDU_DMA_SOURCE));
	writeb(0x77, regs + EDU_LIVENESS);
	edu_note(edu, "liveness after an 8-bit write = 0x%08x", readl(regs + EDU_LIVENESS));
	writew(0x7777, regs + EDU_LIVENESS);
	edu_note(edu, "liveness after a 16-bit write = 0x%08x", readl(regs + EDU_LIVENESS));
	writeq(0x7777, regs + EDU_FACTORIAL);
	edu_note(edu, "factorial after a 64-bit write = %u", readl(regs + EDU_FACTORIAL));
	writeb(0x77, regs + EDU_DMA_SOURCE);
	writew(0x7777, regs + EDU_DMA_SOURCE);
	edu_note(edu, "dma source after narrow writes = 0x%016llx", readq(regs + EDU_DMA_SOURCE));
	return 0;
}

static int edu_test_other_offsets(struct edu_device *edu)
{
	static const unsigned int offsets[] = {
		EDU_IRQ_RAISE, EDU_IRQ_ACKNOWLEDGE,	/* write-only */
		0x0c, 0x1c, 0x28, 0x5c, 0x68, 0x7c, 0xa0, 0xffc, 0x1000, EDU_BUFFER, 0xffffc,
	};
	unsigned int i;

	writel(0xdeadbeef, edu->regs + EDU_ID);
	edu_note(edu, "id after a write = 0x%08x", readl(edu->regs + EDU_ID));
	writel(0xdeadbeef, edu->regs + EDU_IRQ_STATUS);
	edu_note(edu, "irq status after a write = 0x%08x", readl(edu->regs + EDU_IRQ_STATUS));
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		if (offsets[i] != EDU_IRQ_RAISE && offsets[i] != EDU_IRQ_ACKNOWLEDGE)
			writel(0x5a5a5a5a, edu->regs + offsets[i]);
		edu_note(edu, "offset 0x%05x = 0x%08x", offsets[i],
			 readl(edu->regs + offsets[i]));
	}
	return 0;
}

static int (* const edu_tests[])(struct edu_device *edu) = {
	edu_test_identity,
	edu_test_liveness,
	edu_test_factorial,
	edu_test_coherent,
	edu_test_interrupts,
	edu_test_streaming,
	edu_test_dma_registers,
	edu_test_widths,
	edu_test_other_offsets,
};

void edu_selftest(struct edu_device *edu)
{
	unsigned int i;

	edu->length = 0;
	for (i = 0; i < ARRAY_SIZE(edu_tests); i++)
		if (edu_tests[i](edu))
			return;
	edu_note(edu, "passed");
}
