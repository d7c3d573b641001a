// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for the bench device, 1234:be9c, which exists to be measured. Its BAR 0
 * has three pages:
 *
 *	0x0000	trapped	0x00 wo: reads nobody needs, writes the model ignores
 *			0x08 ro: answered by the model; never all-ones
 *			0x10 wo: doorbell: the model stores what is written here
 *			at 0x2000
 *			0x20 ro: declared: answered by the kernel; never all-ones
 *	0x1000	shadow	0x00 ro: answered by the kernel
 *	0x2000	memory	0x00 what the doorbell was rung with last
 *			0x04 how many interrupts the driver has handled
 *
 * In debugfs, bench-<PCI address>/ has five files. Writing "PATH COUNT [CPU]"
 * to "run" measures a path COUNT times on that CPU and returns when done, or with
 * an error after a minute; "result" then has one line: path, p50, p99, mean, in
 * nanoseconds, and the count. Writing N to "hammer" has N threads access the device
 * as fast as they can until 0 is written or the device is gone. Writing N
 * to "mappings" makes N more mappings of 0x1000, in place of those made before; path
 * "mapped" reads through one of them. "buffer" has the address of 64 KiB that the
 * device may read and write by DMA. Whoever writes to "run" is blocked in it, so it
 * must not be the thread that serves the model.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bench.h"

static int bench_allocate(struct bench *bench)
{
	/* Behind what vmalloc() returns there is always a page without memory. */
	bench->page = vmalloc(PAGE_SIZE);
	bench->guard = bench->page + PAGE_SIZE;
	bench->from = kvzalloc(BENCH_COPY, GFP_KERNEL);
	bench->to = kvzalloc(BENCH_COPY, GFP_KERNEL);
	return bench->page && bench->from && bench->to ? 0 : -ENOMEM;
}

static void bench_free(struct bench *bench)
{
	kvfree(bench->to);
	kvfree(bench->from);
	vfree(bench->page);
	kfree(bench);
}

static void bench_show(struct bench *bench)
{
	char name[48];

	snprintf(name, sizeof(name), "bench-%s", pci_name(bench->pdev));
	bench->directory = debugfs_create_dir(name, NULL);
	debugfs_create_file("run", 0200, bench->directory, bench, &bench_run_operations);
	debugfs_create_file("result", 0400, bench->directory, bench, &bench_result_operations);
	debugfs_create_file("hammer", 0600, bench->directory, bench, &bench_hammer_operations);
	debugfs_create_file("mappings", 0200, bench->directory, bench, &bench_mappings_operations);
	debugfs_create_file("buffer", 0400, bench->directory, bench, &bench_buffer_operations);
}

static int bench_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bench *bench = kzalloc(sizeof(*bench), GFP_KERNEL);
	int error;

	if (!bench)
		return -ENOMEM;
	bench->pdev = pdev;
	mutex_init(&bench->lock);
	mutex_init(&bench->hammer_lock);
	bench_paths_init(bench);
	error = bench_allocate(bench);
	if (error)
		goto free;
	error = pci_enable_device_mem(pdev);
	if (error)
		goto free;
	error = pci_request_regions(pdev, KBUILD_MODNAME);
	if (error)
		goto disable;
	error = -ENODEV;
	if (pci_resource_len(pdev, 0) < BENCH_COUNTER + PAGE_SIZE)
		goto release;
	error = -ENOMEM;
	bench->regs = pci_iomap(pdev, 0, 0);
	if (!bench->regs)
		goto release;
	bench->mapped = bench->regs + BENCH_SHADOW;
	error = bench_read(bench, BENCH_ANSWERED);
	if (error)
		goto unmap;
	error = bench_resources_init(bench);
	if (error)
		goto unmap;
	pci_set_drvdata(pdev, bench);
	bench_show(bench);
	return 0;

unmap:
	pci_iounmap(pdev, bench->regs);
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
free:
	bench_free(bench);
	return error;
}

static void bench_remove(struct pci_dev *pdev)
{
	struct bench *bench = pci_get_drvdata(pdev);

	/* Ends the runs; debugfs then waits until nobody is in a file of ours. */
	WRITE_ONCE(bench->gone, true);
	debugfs_remove_recursive(bench->directory);
	bench_hammer_stop(bench);
	irq_work_sync(&bench->work);
	bench_resources_exit(bench);
	bench_mappings_free(bench);
	pci_iounmap(pdev, bench->regs);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	bench_free(bench);
}

static const struct pci_device_id bench_ids[] = {
	{ PCI_DEVICE(0x1234, 0xbe9c) },
	{ }
};
MODULE_DEVICE_TABLE(pci, bench_ids);

static struct pci_driver bench_driver = {
	.name = KBUILD_MODNAME,
	.id_table = bench_ids,
	.probe = bench_probe,
	.remove = bench_remove,
};
module_pci_driver(bench_driver);

MODULE_DESCRIPTION("Measures accesses to barkeep's bench device");
MODULE_LICENSE("GPL");
