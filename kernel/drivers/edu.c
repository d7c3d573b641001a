// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for QEMU's educational PCI device, 1234:11e8. Registers are those of
 * QEMU's docs/specs/edu.rst. It does no work for anybody: it tests the device,
 * at probe and whenever something is written to "selftest" in the device's
 * sysfs directory, and shows there what it found, one fact a line. The facts
 * hold no addresses, so those of two devices can be compared.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>

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

#ifndef PCI_IRQ_INTX			/* before 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

static bool intx;
module_param(intx, bool, 0444);
MODULE_PARM_DESC(intx, "Use INTx although the device has MSI");

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

static __printf(2, 3) void edu_note(struct edu_device *edu, const char *format, ...)
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

/* For the verdict: an item notes why it failed and returns this. */
#define edu_fail(edu, format, ...) \
	({ edu_note(edu, "failed: " format, ##__VA_ARGS__); -EIO; })

/* All-ones is what a device reads as that is gone, or did not answer in time. */
static bool edu_gone(struct edu_device *edu, u32 value)
{
	return PCI_POSSIBLE_ERROR(value) && !pci_device_is_present(edu->pdev);
}

static irqreturn_t edu_interrupt(int irq, void *data)
{
	struct edu_device *edu = data;
	u32 status = readl(edu->regs + EDU_IRQ_STATUS);

	if (!status || PCI_POSSIBLE_ERROR(status))
		return IRQ_NONE;
	writel(status, edu->regs + EDU_IRQ_ACKNOWLEDGE);
	/* INTx is a level: it must be low before the handler returns. */
	readl(edu->regs + EDU_IRQ_STATUS);

	spin_lock(&edu->lock);
	edu->pending |= status;
	edu->interrupts++;
	spin_unlock(&edu->lock);
	complete(&edu->interrupted);
	return IRQ_HANDLED;
}

static void edu_forget_interrupts(struct edu_device *edu)
{
	spin_lock_irq(&edu->lock);
	edu->pending = 0;
	edu->interrupts = 0;
	spin_unlock_irq(&edu->lock);
	reinit_completion(&edu->interrupted);
}

/* Returns the status bits that came with the next interrupt, 0 if none came. */
static u32 edu_wait_interrupt(struct edu_device *edu)
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

static int edu_test_coherent(struct edu_device *edu)
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

static int edu_test_streaming(struct edu_device *edu)
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

static void edu_selftest(struct edu_device *edu)
{
	unsigned int i;

	edu->length = 0;
	for (i = 0; i < ARRAY_SIZE(edu_tests); i++)
		if (edu_tests[i](edu))
			return;
	edu_note(edu, "passed");
}

static ssize_t selftest_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	struct edu_device *edu = dev_get_drvdata(dev);
	ssize_t length;

	mutex_lock(&edu->test);
	length = sysfs_emit(buffer, "%s", edu->report);
	mutex_unlock(&edu->test);
	return length;
}

static ssize_t selftest_store(struct device *dev, struct device_attribute *attr,
			      const char *buffer, size_t length)
{
	struct edu_device *edu = dev_get_drvdata(dev);

	mutex_lock(&edu->test);
	/* A DMA that did not end had it cleared. */
	pci_set_master(edu->pdev);
	edu_selftest(edu);
	mutex_unlock(&edu->test);
	return length;
}
static DEVICE_ATTR_RW(selftest);

static struct attribute *edu_attrs[] = {
	&dev_attr_selftest.attr,
	NULL
};
ATTRIBUTE_GROUPS(edu);

/* Memory for DMA, where a 28-bit address reaches it. */
static int edu_allocate(struct edu_device *edu)
{
	struct device *dev = &edu->pdev->dev;

	edu->coherent = dma_alloc_coherent(dev, 2 * EDU_BUFFER_SIZE, &edu->coherent_address,
					   GFP_KERNEL);
	edu->out = kmalloc(EDU_BUFFER_SIZE, GFP_KERNEL | GFP_DMA);
	edu->back = kmalloc(EDU_BUFFER_SIZE, GFP_KERNEL | GFP_DMA);
	return edu->coherent && edu->out && edu->back ? 0 : -ENOMEM;
}

static void edu_free(struct edu_device *edu)
{
	kfree(edu->back);
	kfree(edu->out);
	if (edu->coherent)
		dma_free_coherent(&edu->pdev->dev, 2 * EDU_BUFFER_SIZE, edu->coherent,
				  edu->coherent_address);
	kfree(edu);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_device *edu = kzalloc(sizeof(*edu), GFP_KERNEL);
	int error;

	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	init_completion(&edu->interrupted);
	spin_lock_init(&edu->lock);
	mutex_init(&edu->test);

	error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(28));
	if (error)
		goto free;
	error = edu_allocate(edu);
	if (error)
		goto free;
	error = pci_enable_device_mem(pdev);
	if (error)
		goto free;
	error = pci_request_regions(pdev, KBUILD_MODNAME);
	if (error)
		goto disable;
	edu->regs = pci_iomap(pdev, 0, 0);
	if (!edu->regs) {
		error = -ENOMEM;
		goto release;
	}
	if (PCI_POSSIBLE_ERROR(readl(edu->regs + EDU_ID))) {
		error = -ENODEV;
		goto unmap;
	}
	/* MSI is a write to memory, so it needs this as DMA does. */
	pci_set_master(pdev);
	error = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_INTX | (intx ? 0 : PCI_IRQ_MSI));
	if (error < 0)
		goto unmap;
	edu->irq = pci_irq_vector(pdev, 0);
	error = request_irq(edu->irq, edu_interrupt, IRQF_SHARED, KBUILD_MODNAME, edu);
	if (error)
		goto vectors;

	pci_set_drvdata(pdev, edu);
	edu_selftest(edu);
	return 0;

vectors:
	pci_free_irq_vectors(pdev);
unmap:
	pci_iounmap(pdev, edu->regs);
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
free:
	edu_free(edu);
	return error;
}

/* Keeps the device from raising interrupts and moving memory. */
static void edu_quiesce(struct edu_device *edu)
{
	writel(0, edu->regs + EDU_STATUS);
	writel(0xffffffff, edu->regs + EDU_IRQ_ACKNOWLEDGE);
	/* The writes have arrived, or the device is gone. */
	readl(edu->regs + EDU_STATUS);
	pci_clear_master(edu->pdev);
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_device *edu = pci_get_drvdata(pdev);

	edu_quiesce(edu);
	free_irq(edu->irq, edu);
	pci_free_irq_vectors(pdev);
	pci_iounmap(pdev, edu->regs);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	edu_free(edu);
}

static void edu_shutdown(struct pci_dev *pdev)
{
	edu_quiesce(pci_get_drvdata(pdev));
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.shutdown = edu_shutdown,
	.dev_groups = edu_groups,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Self-test of QEMU's educational PCI device");
MODULE_LICENSE("GPL");
