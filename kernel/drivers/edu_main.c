// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for QEMU's educational PCI device, 1234:11e8. Registers are those of
 * QEMU's docs/specs/edu.rst. It does no work for anybody: it tests the device,
 * at probe and whenever something is written to "selftest" in the device's
 * sysfs directory, and shows there what it found, one fact a line. The facts
 * hold no addresses, so those of two devices can be compared.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "edu.h"

#ifndef PCI_IRQ_INTX			/* before 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

static bool intx;
module_param(intx, bool, 0444);
MODULE_PARM_DESC(intx, "Use INTx although the device has MSI");

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
