// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that does to a PCI function what it is told, a command at a time: for
 * tests, and for trying out a device that has no driver yet. It binds by
 * driver_override to any function:
 *
 *	echo exerciser > /sys/bus/pci/devices/.../driver_override
 *	echo 0100:00:00.0 > /sys/bus/pci/drivers/exerciser/bind
 *
 * A command is written to /sys/kernel/debug/exerciser/<function>, its answer is
 * read from there; what fails, fails with the write's errno. Numbers are as C
 * has them. The file goes with the function; exerciser/last stays, and has the
 * function and the answer of the last command that was done, whosever it was.
 *
 *	read BAR OFFSET WIDTH [CONTEXT]		answers the value
 *	write BAR OFFSET WIDTH VALUE [CONTEXT]
 *	swap BAR OFFSET WIDTH VALUE [CONTEXT]	writes, reads at once; answers the value
 *	fill BAR OFFSET BYTES VALUE		memset_io
 *	sum BAR OFFSET BYTES [LOCKED]		memcpy_fromio, under a spinlock or not;
 *						answers the bytes' sum
 *	copy BAR OFFSET BYTES			memcpy_toio of 0, 1, 2, ...
 *	ioremap DOOR BAR OFFSET BYTES		by any way to map; answers a number
 *	iounmap NUMBER [OFFSET]			by an address that far into it
 *	load NUMBER OFFSET WIDTH [CONTEXT]	through that mapping
 *	store NUMBER OFFSET WIDTH VALUE [CONTEXT]
 *	expect NUMBER OFFSET WIDTH VALUE	loads until it is so; a second at most
 *	drain BAR OFFSET WIDTH TIMES BACK	reads, and writes it back if BACK is 1;
 *						answers how many ones it has read
 *	move BAR OFFSET TO BYTES		memcpy_fromio into the same BAR
 *	multiply BAR OFFSET VALUE		answers 4 bytes times VALUE, by one instruction
 *	shift BAR OFFSET			4 bytes to the left, by one instruction
 *	probed BAR OFFSET BEHIND		loads 4 bytes, and stores one more, each by
 *						an instruction that has a kprobe, with a
 *						handler behind it too if BEHIND is 1;
 *						answers the value, and how often the
 *						handlers ran before and behind
 *	apart BAR OFFSET VALUE			4 bytes, then VALUE + 1, through two
 *						mappings of these bytes alone
 *	alternate BAR OFFSET OTHER COUNT [CONTEXT]	4 bytes: 1, 2, ... to both in turn
 *	flood BAR OFFSET COUNT			4 bytes, CPU << 24 | 1, 2, ..., by all
 *						CPUs at once; answers how many
 *	map DIRECTION BYTES			streaming; answers the bus address
 *	alloc BYTES				coherent; answers the bus address
 *	unmap ADDRESS				either
 *	scatter DIRECTION COUNT BYTES LAST	a list of COUNT entries, the last one of LAST
 *						bytes; answers the bus addresses
 *	gather					undoes it
 *	mask BITS				of bus addresses
 *	peek ADDRESS OFFSET			a byte of such memory
 *	poke ADDRESS OFFSET VALUE
 *	master 0|1				bus mastering
 *	memory 0|1				memory decode
 *	vectors COUNT				MSI vectors; 0 frees them
 *	intx 0|1				the line instead
 *	interrupts				answers a count for each vector
 *	handler BAR OFFSET			interrupt handlers read 4 bytes there
 *	handled					answers what they read last
 *	ignore 0|1				they handle nothing, and leave the line on
 *	many COUNT BAR				mappings at once, of a page each; writes to
 *						and reads from all, answers how many
 *						reads were wrong
 *	stream THREADS COUNT [EVERY [CONTEXT [SPARE]]]	from all CPUs, but for SPARE - 1;
 *						answers how many reads were wrong,
 *						and how many of these all-ones
 *	relay COUNT [EVERY]			two CPUs in turn, a register each;
 *						answers how many reads were wrong
 *	switches				answers how often the task that made the
 *						last access, or was interrupted by
 *						it, gave up the CPU in it
 *	reset					Function Level Reset
 *	power 0|3				PM state
 *	leak BYTES				of memory, to see that it is found
 *
 * CONTEXT is process, atomic (a spinlock held), off (interrupts off), rcu (a reader of
 * it), nofault (page faults disabled), timer (its softirq) or hardirq (an interrupt's
 * handler); DIRECTION is to, from or both; DOOR is a name of the table in exerciser_map.c.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "exerciser.h"

#define ARGUMENTS_MAX	6

static struct dentry *exerciser_directory;

/* What exerciser/last says. Inside a function's own lock. */
static DEFINE_MUTEX(exerciser_last_lock);
static char exerciser_last_name[32];
static char exerciser_last_answer[ANSWER_BYTES];

static int exerciser_leak(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	return kmalloc(arguments[0], GFP_KERNEL) ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	unsigned int least;	/* arguments */
	int (*run)(struct exerciser *exerciser, const u64 *arguments, char *answer);
} exerciser_commands[] = {
	{ "read", 3, exerciser_read },
	{ "write", 4, exerciser_write },
	{ "swap", 4, exerciser_swap },
	{ "fill", 4, exerciser_fill },
	{ "sum", 3, exerciser_sum },
	{ "copy", 3, exerciser_copy },
	{ "ioremap", 4, exerciser_ioremap },
	{ "iounmap", 1, exerciser_iounmap },
	{ "load", 3, exerciser_mapping_load },
	{ "store", 4, exerciser_mapping_store },
	{ "expect", 4, exerciser_mapping_expect },
	{ "drain", 5, exerciser_drain },
	{ "move", 4, exerciser_move },
	{ "multiply", 3, exerciser_multiply },
	{ "shift", 2, exerciser_shift },
	{ "probed", 3, exerciser_probed },
	{ "apart", 3, exerciser_apart },
	{ "alternate", 4, exerciser_alternate },
	{ "flood", 3, exerciser_flood },
	{ "map", 2, exerciser_map },
	{ "alloc", 1, exerciser_alloc },
	{ "unmap", 1, exerciser_unmap },
	{ "scatter", 4, exerciser_scatter },
	{ "gather", 0, exerciser_gather },
	{ "mask", 1, exerciser_mask },
	{ "peek", 2, exerciser_peek },
	{ "poke", 3, exerciser_poke },
	{ "master", 1, exerciser_master },
	{ "memory", 1, exerciser_memory },
	{ "vectors", 1, exerciser_vectors },
	{ "intx", 1, exerciser_intx },
	{ "interrupts", 0, exerciser_interrupts },
	{ "handler", 2, exerciser_handler },
	{ "handled", 0, exerciser_handled },
	{ "ignore", 1, exerciser_ignore },
	{ "many", 2, exerciser_many },
	{ "stream", 2, exerciser_stream },
	{ "relay", 1, exerciser_relay },
	{ "switches", 0, exerciser_switches },
	{ "reset", 0, exerciser_reset },
	{ "power", 1, exerciser_power },
	{ "leak", 1, exerciser_leak },
};

static const struct {
	const char *word;
	u64 value;
} exerciser_words[] = {
	{ "process", CONTEXT_PROCESS },
	{ "atomic", CONTEXT_ATOMIC },
	{ "off", CONTEXT_OFF },
	{ "rcu", CONTEXT_RCU },
	{ "nofault", CONTEXT_NOFAULT },
	{ "timer", CONTEXT_TIMER },
	{ "hardirq", CONTEXT_HARDIRQ },
	{ "to", DMA_TO_DEVICE },
	{ "from", DMA_FROM_DEVICE },
	{ "both", DMA_BIDIRECTIONAL },
};

static int exerciser_argument(const char *text, u64 *value)
{
	int n;

	for (n = 0; n < ARRAY_SIZE(exerciser_words); n++) {
		if (!strcmp(text, exerciser_words[n].word)) {
			*value = exerciser_words[n].value;
			return 0;
		}
	}
	if (exerciser_is_door(text, value))
		return 0;
	return kstrtou64(text, 0, value);
}

static void exerciser_keep_last(struct exerciser *exerciser)
{
	mutex_lock(&exerciser_last_lock);
	strscpy(exerciser_last_name, pci_name(exerciser->pdev), sizeof(exerciser_last_name));
	strscpy(exerciser_last_answer, exerciser->answer, sizeof(exerciser_last_answer));
	mutex_unlock(&exerciser_last_lock);
}

static int exerciser_run(struct exerciser *exerciser, char *line)
{
	char *name = strsep(&line, " "), *text;
	u64 arguments[ARGUMENTS_MAX] = {};
	unsigned int count = 0;
	int n, ret;

	while ((text = strsep(&line, " "))) {
		if (count == ARGUMENTS_MAX)
			return -E2BIG;
		ret = exerciser_argument(text, &arguments[count++]);
		if (ret)
			return ret;
	}
	for (n = 0; n < ARRAY_SIZE(exerciser_commands); n++) {
		if (strcmp(name, exerciser_commands[n].name))
			continue;
		if (count < exerciser_commands[n].least)
			return -EINVAL;
		exerciser->answer[0] = 0;
		return exerciser_commands[n].run(exerciser, arguments, exerciser->answer);
	}
	return -ENOTTY;
}

static ssize_t exerciser_file_write(struct file *file, const char __user *user, size_t length,
				    loff_t *position)
{
	struct exerciser *exerciser = file_inode(file)->i_private;
	char line[128];
	int ret;

	if (length >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, user, length))
		return -EFAULT;
	line[length] = 0;

	mutex_lock(&exerciser->lock);
	ret = exerciser_run(exerciser, strim(line));
	if (!ret)
		exerciser_keep_last(exerciser);
	mutex_unlock(&exerciser->lock);
	return ret ?: length;
}

static int exerciser_show(struct seq_file *seq, void *unused)
{
	struct exerciser *exerciser = seq->private;

	mutex_lock(&exerciser->lock);
	seq_printf(seq, "%s\n", exerciser->answer);
	mutex_unlock(&exerciser->lock);
	return 0;
}

static int exerciser_file_open(struct inode *inode, struct file *file)
{
	return single_open(file, exerciser_show, inode->i_private);
}

static const struct file_operations exerciser_file_operations = {
	.owner = THIS_MODULE,
	.open = exerciser_file_open,
	.read = seq_read,
	.write = exerciser_file_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int exerciser_last_show(struct seq_file *seq, void *unused)
{
	mutex_lock(&exerciser_last_lock);
	seq_printf(seq, "%s %s\n", exerciser_last_name, exerciser_last_answer);
	mutex_unlock(&exerciser_last_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exerciser_last);

static int exerciser_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct exerciser *exerciser = kzalloc(sizeof(*exerciser), GFP_KERNEL);
	char name[64];
	int ret;

	if (!exerciser)
		return -ENOMEM;
	exerciser->pdev = pdev;
	mutex_init(&exerciser->lock);
	spin_lock_init(&exerciser->spin);
	INIT_LIST_HEAD(&exerciser->buffers);
	ret = pci_enable_device(pdev);
	if (ret)
		goto err_free;
	ret = pci_request_regions(pdev, "exerciser");
	if (ret)
		goto err_disable;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_regions;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, exerciser);
	exerciser->file = debugfs_create_file(pci_name(pdev), 0600, exerciser_directory, exerciser,
					      &exerciser_file_operations);
	scnprintf(name, sizeof(name), "%s.mappings", pci_name(pdev));
	exerciser->mappings_file = debugfs_create_file(name, 0600, exerciser_directory, exerciser,
						       &exerciser_mappings_operations);
	exerciser_add_user_files(exerciser, exerciser_directory);
	return 0;

err_regions:
	pci_release_regions(pdev);
err_disable:
	pci_disable_device(pdev);
err_free:
	kfree(exerciser);
	return ret;
}

static void exerciser_remove(struct pci_dev *pdev)
{
	struct exerciser *exerciser = pci_get_drvdata(pdev);
	int n;

	/* Waits for a command in progress. */
	debugfs_remove(exerciser->file);
	debugfs_remove(exerciser->mappings_file);
	exerciser_remove_user_files(exerciser);
	/* The device touches no memory from here on. */
	pci_clear_master(pdev);
	exerciser_free_vectors(exerciser);
	exerciser_free_buffers(exerciser);
	exerciser_free_mappings(exerciser);
	for (n = 0; n < PCI_STD_NUM_BARS; n++) {
		if (exerciser->bars[n])
			pci_iounmap(pdev, exerciser->bars[n]);
	}
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	kfree(exerciser);
}

/* Nobody's by itself: driver_override makes this entry match any function. */
static const struct pci_device_id exerciser_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(PCI_ANY_ID, PCI_ANY_ID, true) },
	{ }
};

static struct pci_driver exerciser_driver = {
	.name = "exerciser",
	.id_table = exerciser_ids,
	.probe = exerciser_probe,
	.remove = exerciser_remove,
};

static int __init exerciser_init(void)
{
	int ret;

	exerciser_directory = debugfs_create_dir("exerciser", NULL);
	debugfs_create_file("last", 0400, exerciser_directory, NULL, &exerciser_last_fops);
	ret = pci_register_driver(&exerciser_driver);
	if (ret)
		debugfs_remove(exerciser_directory);
	return ret;
}
module_init(exerciser_init);

static void __exit exerciser_exit(void)
{
	pci_unregister_driver(&exerciser_driver);
	debugfs_remove(exerciser_directory);
}
module_exit(exerciser_exit);

MODULE_DESCRIPTION("Does to a PCI function what it is told");
MODULE_LICENSE("GPL");
