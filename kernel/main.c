// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/barkeep: the device node, its file operations and the ioctl table. What
 * an ioctl does is in the file of its part; here is what all have in common.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "emulate.h"

union barkeep_argument {
	struct barkeep_info info;
	struct barkeep_plug plug;
	struct barkeep_unplug unplug;
	struct barkeep_wait wait;
	struct barkeep_wake wake;
	struct barkeep_irq irq;
	struct barkeep_config config;
	struct barkeep_dma dma;
	struct {
		u32 size;
		u32 flags;
	} head;
};

static long barkeep_info_ioctl(struct barkeep_device *dev, union barkeep_argument *arg)
{
	arg->info.abi = BARKEEP_ABI;
	arg->info.page_size = PAGE_SIZE;
	arg->info.features = 0;
	return 0;
}

static long barkeep_plug_ioctl(struct barkeep_device *dev, union barkeep_argument *arg)
{
	return barkeep_device_plug(dev, &arg->plug);
}

static long barkeep_unplug_ioctl(struct barkeep_device *dev, union barkeep_argument *arg)
{
	barkeep_device_unplug(dev, arg->unplug.flags & BARKEEP_UNPLUG_SURPRISE);
	return 0;
}

static long barkeep_wait_ioctl(struct barkeep_device *dev, union barkeep_argument *arg)
{
	return barkeep_ring_wait(dev, &arg->wait);
}

static long barkeep_wake_ioctl(struct barkeep_device *dev, union barkeep_argument *arg)
{
	barkeep_ring_flush(dev);
	barkeep_ring_wake(dev);
	return 0;
}

static long barkeep_irq_call(struct barkeep_device *dev, union barkeep_argument *arg)
{
	return barkeep_irq_ioctl(dev, &arg->irq);
}

static long barkeep_config_call(struct barkeep_device *dev, union barkeep_argument *arg)
{
	return barkeep_config_ioctl(dev, &arg->config);
}

static long barkeep_dma_call(struct barkeep_device *dev, union barkeep_argument *arg)
{
	return barkeep_dma_ioctl(dev, &arg->dma);
}

enum barkeep_needs {
	NEEDS_NOTHING,
	NEEDS_PLUGGED,		/* once; may be gone */
	NEEDS_ALIVE,
};

/**
 * struct barkeep_ioctl - a row of the table
 * @number: the ioctl
 * @size: of the struct that this kernel knows
 * @minimum: size of its first version
 * @flags: those this kernel knows
 * @needs: state of the device
 * @out: the struct is copied back, also on error
 * @call: gets the struct in kernel memory, unknown tail checked and cut off
 */
struct barkeep_ioctl {
	unsigned int number;
	u32 size;
	u32 minimum;
	u32 flags;
	enum barkeep_needs needs;
	bool out;
	long (*call)(struct barkeep_device *dev, union barkeep_argument *arg);
};

#define BARKEEP_CALL(_number, _struct, _last, _flags, _needs, _out, _call)	\
	[_IOC_NR(_number)] = {						\
		.number = _number,					\
		.size = sizeof(struct _struct),				\
		.minimum = offsetofend(struct _struct, _last),		\
		.flags = _flags,					\
		.needs = _needs,					\
		.out = _out,						\
		.call = _call,						\
	}

static const struct barkeep_ioctl barkeep_ioctls[] = {
	BARKEEP_CALL(BARKEEP_INFO, barkeep_info, features, 0, NEEDS_NOTHING, true,
		     barkeep_info_ioctl),
	BARKEEP_CALL(BARKEEP_PLUG, barkeep_plug, domain, BARKEEP_PLUG_DMA_DIRECT, NEEDS_NOTHING,
		     true, barkeep_plug_ioctl),
	BARKEEP_CALL(BARKEEP_UNPLUG, barkeep_unplug, flags, BARKEEP_UNPLUG_SURPRISE, NEEDS_PLUGGED,
		     false, barkeep_unplug_ioctl),
	BARKEEP_CALL(BARKEEP_WAIT, barkeep_wait, timeout_ns, 0, NEEDS_PLUGGED, false,
		     barkeep_wait_ioctl),
	BARKEEP_CALL(BARKEEP_WAKE, barkeep_wake, flags, 0, NEEDS_PLUGGED, false,
		     barkeep_wake_ioctl),
	BARKEEP_CALL(BARKEEP_IRQ, barkeep_irq, vector, 0, NEEDS_ALIVE, false, barkeep_irq_call),
	BARKEEP_CALL(BARKEEP_CONFIG, barkeep_config, buffer, BARKEEP_CONFIG_WRITE, NEEDS_ALIVE,
		     false, barkeep_config_call),
	BARKEEP_CALL(BARKEEP_DMA, barkeep_dma, nearest_length, 0, NEEDS_ALIVE, true,
		     barkeep_dma_call),
};

static bool barkeep_is_ready(struct barkeep_device *dev)
{
	/* Pairs with smp_store_release() in barkeep_device_plug_locked(). */
	return smp_load_acquire(&dev->ready);
}

static bool barkeep_has(struct barkeep_device *dev, enum barkeep_needs needs)
{
	if (needs == NEEDS_NOTHING)
		return true;
	if (!barkeep_is_ready(dev))
		return false;
	return needs == NEEDS_PLUGGED ||
	       READ_ONCE(dev->status->state) != BARKEEP_STATE_GONE;
}

static long barkeep_file_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
	struct barkeep_device *dev = file->private_data;
	void __user *user = (void __user *)argument;
	const struct barkeep_ioctl *row;
	union barkeep_argument arg = {};
	unsigned int nr = _IOC_NR(number);
	u32 size;
	long ret;

	if (nr >= ARRAY_SIZE(barkeep_ioctls))
		return -ENOTTY;
	row = &barkeep_ioctls[array_index_nospec(nr, ARRAY_SIZE(barkeep_ioctls))];
	if (row->number != number)
		return -ENOTTY;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < row->minimum)
		return -EINVAL;
	/* No version will be so long, and its end is looked at byte by byte. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, row->size, user, size);
	if (ret)
		return ret;
	if (arg.head.flags & ~row->flags)
		return -EOPNOTSUPP;
	if (!barkeep_has(dev, row->needs))
		return -ENODEV;

	ret = row->call(dev, &arg);

	if (row->out && copy_to_user(user, &arg, min(size, row->size)))
		return -EFAULT;
	return ret;
}

static __poll_t barkeep_file_poll(struct file *file, poll_table *table)
{
	struct barkeep_device *dev = file->private_data;

	poll_wait(file, &dev->ring.readable, table);
	if (!barkeep_is_ready(dev))
		return 0;
	WRITE_ONCE(dev->ring.kick_cpu, raw_smp_processor_id());
	barkeep_ring_flush(dev);
	return barkeep_ring_readable(dev) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int barkeep_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct barkeep_device *dev = file->private_data;

	if (!barkeep_is_ready(dev))
		return -ENODEV;
	return barkeep_mmap(dev, vma);
}

static int barkeep_file_open(struct inode *inode, struct file *file)
{
	struct barkeep_device *dev = barkeep_device_create();

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	file->private_data = dev;
	return stream_open(inode, file);
}

static int barkeep_file_release(struct inode *inode, struct file *file)
{
	barkeep_device_close(file->private_data);
	return 0;
}

static const struct file_operations barkeep_file_operations = {
	.owner = THIS_MODULE,
	.open = barkeep_file_open,
	.release = barkeep_file_release,
	.unlocked_ioctl = barkeep_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = barkeep_file_poll,
	.mmap = barkeep_file_mmap,
};

static struct miscdevice barkeep_node = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "barkeep",
	.fops = &barkeep_file_operations,
	.mode = 0600,
};

static int __init barkeep_init(void)
{
	int ret;

	ret = barkeep_devices_init();
	if (ret)
		return ret;
	ret = barkeep_bus_init();
	if (ret)
		goto err_devices;
	ret = barkeep_watches_init();
	if (ret)
		goto err_bus;
	ret = barkeep_map_init();
	if (ret)
		goto err_watches;
	ret = barkeep_doors_init();
	if (ret)
		goto err_map;
	ret = barkeep_fault_init();
	if (ret)
		goto err_doors;
	ret = misc_register(&barkeep_node);
	if (ret)
		goto err_fault;
	return 0;

err_fault:
	barkeep_fault_exit();
err_doors:
	barkeep_doors_exit();
err_map:
	barkeep_map_exit();
err_watches:
	barkeep_watches_exit();
err_bus:
	barkeep_bus_exit();
err_devices:
	barkeep_devices_exit();
	return ret;
}
module_init(barkeep_init);

/*
 * No device and no mapping is left: each holds a reference to the module. The
 * workqueue goes last of all that can still run our code.
 */
static void __exit barkeep_exit(void)
{
	misc_deregister(&barkeep_node);
	barkeep_fault_exit();
	barkeep_doors_exit();
	barkeep_map_exit();
	barkeep_bus_exit();
	barkeep_devices_exit();
	barkeep_watches_exit();
}
module_exit(barkeep_exit);

MODULE_DESCRIPTION("PCI functions served from user space");
MODULE_LICENSE("GPL");
