// SPDX-License-Identifier: GPL-2.0-only
/* What the device acts upon: an interrupt's handler, and memory for its DMA. */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>

#include "bench.h"

/* The only context that writes @interrupts; the page is memory, so nothing traps. */
static irqreturn_t bench_interrupt(int irq, void *data)
{
	struct bench *bench = data;

	writel(++bench->interrupts, bench->regs + BENCH_INTERRUPTS);
	return IRQ_HANDLED;
}

/* A device without MSI is measured without interrupts. */
static int bench_request_irq(struct bench *bench)
{
	int error;

	if (pci_alloc_irq_vectors(bench->pdev, 1, 1, PCI_IRQ_MSI) != 1)
		return 0;
	bench->irq = pci_irq_vector(bench->pdev, 0);
	error = request_irq(bench->irq, bench_interrupt, 0, "bench", bench);
	if (error)
		pci_free_irq_vectors(bench->pdev);
	return error;
}

int bench_resources_init(struct bench *bench)
{
	struct device *dev = &bench->pdev->dev;
	int error;

	error = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (error)
		return error;
	bench->buffer = dma_alloc_coherent(dev, BENCH_COPY, &bench->buffer_address, GFP_KERNEL);
	if (!bench->buffer)
		return -ENOMEM;
	error = bench_request_irq(bench);
	if (error) {
		dma_free_coherent(dev, BENCH_COPY, bench->buffer, bench->buffer_address);
		return error;
	}
	pci_set_master(bench->pdev);
	return 0;
}

void bench_resources_exit(struct bench *bench)
{
	pci_clear_master(bench->pdev);
	if (bench->irq) {
		free_irq(bench->irq, bench);
		pci_free_irq_vectors(bench->pdev);
	}
	dma_free_coherent(&bench->pdev->dev, BENCH_COPY, bench->buffer, bench->buffer_address);
}

static ssize_t bench_buffer_read(struct file *file, char __user *buffer, size_t length,
				 loff_t *position)
{
	struct bench *bench = file->private_data;
	char text[32];
	int n = scnprintf(text, sizeof(text), "%llu\n", (u64)bench->buffer_address);

	return simple_read_from_buffer(buffer, length, position, text, n);
}

const struct file_operations bench_buffer_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bench_buffer_read,
};
