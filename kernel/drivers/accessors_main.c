// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that accesses BARs in all ways there are, so that they can be compared
 * between a BAR that traps and one that is memory. It binds by driver_override to any
 * function, as the exerciser does. Reading /sys/kernel/debug/accessors/<function>/<BAR>
 * runs each once, at 64 bytes of its own of that BAR, in the order of the lines:
 *
 *	NAME: what it read, in hexadecimal
 *
 * The file ends where the BAR does.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "accessors.h"

/* Enough for all lines: what is too long for seq_file's buffer is run again. */
#define OUTPUT_BYTES	(64 << 10)

struct accessors_bar {
	void __iomem *at;
	u64 bytes;
};

struct accessors {
	struct dentry *directory;
	struct accessors_bar bars[PCI_STD_NUM_BARS];
};

static struct dentry *accessors_directory;

static void accessors_run(struct seq_file *seq, const struct accessor *accessors,
			  unsigned int count, u64 *offset)
{
	const struct accessors_bar *bar = seq->private;
	u8 answer[ACCESSOR_BYTES];
	unsigned int n, bytes;

	for (n = 0; n < count && *offset + ACCESSOR_BYTES <= bar->bytes; n++) {
		bytes = accessors[n].run(bar->at + *offset, answer);
		seq_printf(seq, "%s: %*phN\n", accessors[n].name, bytes, answer);
		*offset += ACCESSOR_BYTES;
	}
}

static int accessors_show(struct seq_file *seq, void *unused)
{
	u64 offset = 0;

	accessors_run(seq, accessors_io, accessors_io_count, &offset);
	accessors_run(seq, accessors_asm, accessors_asm_count, &offset);
	return 0;
}

static int accessors_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, accessors_show, inode->i_private, OUTPUT_BYTES);
}

static const struct file_operations accessors_operations = {
	.owner = THIS_MODULE,
	.open = accessors_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int accessors_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct accessors *accessors;
	char name[] = "0";
	int n, ret;

	accessors = devm_kzalloc(&pdev->dev, sizeof(*accessors), GFP_KERNEL);
	if (!accessors)
		return -ENOMEM;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	pci_set_drvdata(pdev, accessors);
	accessors->directory = debugfs_create_dir(pci_name(pdev), accessors_directory);
	for (n = 0; n < PCI_STD_NUM_BARS; n++) {
		if (!(pci_resource_flags(pdev, n) & IORESOURCE_MEM))
			continue;
		accessors->bars[n].bytes = pci_resource_len(pdev, n);
		accessors->bars[n].at = pcim_iomap(pdev, n, 0);
		if (!accessors->bars[n].at) {
			debugfs_remove(accessors->directory);
			return -ENXIO;
		}
		name[0] = '0' + n;
		debugfs_create_file(name, 0400, accessors->directory, &accessors->bars[n],
				    &accessors_operations);
	}
	return 0;
}

static void accessors_remove(struct pci_dev *pdev)
{
	struct accessors *accessors = pci_get_drvdata(pdev);

	/* Waits for those that are being run. */
	debugfs_remove(accessors->directory);
}

/* Nobody's by itself: driver_override makes this entry match any function. */
static const struct pci_device_id accessors_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(PCI_ANY_ID, PCI_ANY_ID, true) },
	{ }
};

static struct pci_driver accessors_driver = {
	.name = "accessors",
	.id_table = accessors_ids,
	.probe = accessors_probe,
	.remove = accessors_remove,
};

static int __init accessors_init(void)
{
	int ret;

	accessors_directory = debugfs_create_dir("accessors", NULL);
	ret = pci_register_driver(&accessors_driver);
	if (ret)
		debugfs_remove(accessors_directory);
	return ret;
}
module_init(accessors_init);

static void __exit accessors_exit(void)
{
	pci_unregister_driver(&accessors_driver);
	debugfs_remove(accessors_directory);
}
module_exit(accessors_exit);

MODULE_DESCRIPTION("Accesses BARs in all ways there are");
MODULE_LICENSE("GPL");
