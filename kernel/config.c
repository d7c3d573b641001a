// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space as host and model access it: the bits that have an effect, and the
 * state that follows from them. What may be in it at all: config_image.c.
 *
 * The PCI core takes no lock of its own around config accesses on x86, and masks
 * MSI vectors with interrupts off: everything is under config.lock, a raw spinlock
 * that is taken inside all of the interrupt core's.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "config.h"

static u32 config_power(struct barkeep_config_space *config)
{
	if (!config->pm)
		return 0;
	return config->image[config->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;
}

static void config_publish(struct barkeep_device *dev, u32 *field, u32 value,
			   enum barkeep_notice notice)
{
	if (READ_ONCE(*field) == value)
		return;
	WRITE_ONCE(*field, value);
	barkeep_notice(dev, notice);
}

/* What the host sees of it. */
static u32 config_command(const struct barkeep_config_space *config)
{
	u32 command = barkeep_config_load(config, PCI_COMMAND, 2);

	return config->hidden ? command & ~PCI_COMMAND_MEMORY : command;
}

/* All that follows from what the registers hold, anew. */
static void config_update(struct barkeep_device *dev)
{
	struct barkeep_config_space *config = &dev->config;
	u32 command = config_command(config);
	u32 power = config_power(config);
	bool on = !config->dead && !power;

	lockdep_assert_held(&config->lock);
	WRITE_ONCE(config->decoding, on && command & PCI_COMMAND_MEMORY);
	WRITE_ONCE(config->mastering, on && command & PCI_COMMAND_MASTER);
	config_publish(dev, &dev->status->command, command, BARKEEP_NOTICE_COMMAND);
	config_publish(dev, &dev->status->power, power, BARKEEP_NOTICE_POWER);
	config_publish(dev, &dev->status->vectors, barkeep_irq_enabled(dev),
		       BARKEEP_NOTICE_VECTOR);
	barkeep_irq_update(dev);
}

static void config_reset(struct barkeep_device *dev, enum barkeep_reset reset)
{
	memcpy(dev->config.image, dev->config.initial, BARKEEP_CONFIG_SIZE);
	barkeep_irq_reset(dev);
	/* Before the model hears of it, and before the driver can go on. */
	barkeep_registers_reset(dev);
	WRITE_ONCE(dev->ring.reset, reset);
	barkeep_notice(dev, BARKEEP_NOTICE_RESET);
}

static void config_merge(struct barkeep_config_space *config, unsigned int offset,
			 unsigned int width, u32 value)
{
	unsigned int n;

	for (n = offset; n < offset + width; n++, value >>= 8) {
		config->image[n] &= ~config->write_mask[n] & ~(config->clear_mask[n] & value);
		config->image[n] |= config->write_mask[n] & value;
	}
}

static bool config_wants_flr(struct barkeep_config_space *config, unsigned int offset,
			     unsigned int width, u32 value)
{
	unsigned int byte = config->pcie + PCI_EXP_DEVCTL + 1;

	if (!config->pcie || byte < offset || byte >= offset + width)
		return false;
	if (!(barkeep_config_load(config, config->pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR))
		return false;
	return (value >> 8 * (byte - offset)) & (PCI_EXP_DEVCTL_BCR_FLR >> 8);
}

/* A state that is not there, or cannot be entered from @old, is not taken. */
static bool config_power_possible(struct barkeep_config_space *config, u32 old, u32 new)
{
	u32 states = barkeep_config_load(config, config->pm + PCI_PM_PMC, 2);

	if ((new == 1 && !(states & PCI_PM_CAP_D1)) || (new == 2 && !(states & PCI_PM_CAP_D2)))
		return false;
	return !new || new >= old;
}

static void config_write(struct barkeep_device *dev, unsigned int offset, unsigned int width,
			 u32 value)
{
	struct barkeep_config_space *config = &dev->config;
	u32 old = config_power(config);
	u8 *power;

	config_merge(config, offset, width, value);
	if (config_power(config) != old &&
	    !config_power_possible(config, old, config_power(config))) {
		power = &config->image[config->pm + PCI_PM_CTRL];
		*power = (*power & ~PCI_PM_CTRL_STATE_MASK) | old;
	}

	if (config_wants_flr(config, offset, width, value))
		config_reset(dev, BARKEEP_RESET_FLR);
	else if (old == 3 && !config_power(config) &&
		 !(config->image[config->pm + PCI_PM_CTRL] & PCI_PM_CTRL_NO_SOFT_RESET))
		config_reset(dev, BARKEEP_RESET_D3HOT);
	config_update(dev);

	if (test_bit(offset / 4, config->notify)) {
		set_bit(offset / 4, config->dirty);
		barkeep_notice(dev, BARKEEP_NOTICE_CONFIG);
	}
}

static bool config_access_valid(unsigned int offset, unsigned int width)
{
	return (width == 1 || width == 2 || width == 4) && offset % width == 0 &&
	       offset < BARKEEP_CONFIG_SIZE;
}

u32 barkeep_config_read(struct barkeep_device *dev, unsigned int offset, unsigned int width)
{
	u32 value = width == 1 ? 0xff : width == 2 ? 0xffff : 0xffffffff;
	unsigned long flags;

	if (!config_access_valid(offset, width))
		return value;
	raw_spin_lock_irqsave(&dev->config.lock, flags);
	if (!dev->config.dead)
		value = barkeep_config_load(&dev->config, offset, width);
	if (dev->config.hidden && offset == PCI_COMMAND)
		value &= ~PCI_COMMAND_MEMORY;
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
	return value;
}

void barkeep_config_write(struct barkeep_device *dev, unsigned int offset, unsigned int width,
			  u32 value)
{
	unsigned long flags;
	bool mastered;

	if (!config_access_valid(offset, width))
		return;
	raw_spin_lock_irqsave(&dev->config.lock, flags);
	mastered = dev->config.mastering;
	if (!dev->config.dead)
		config_write(dev, offset, width, value);
	mastered &= !dev->config.mastering;
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
	/* Once the write has completed, the device touches no memory. */
	if (mastered)
		barkeep_dma_settle(dev);
}

void barkeep_config_hide(struct barkeep_device *dev, bool hidden)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->config.lock, flags);
	dev->config.hidden = hidden;
	config_update(dev);
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
}

u64 barkeep_config_bar(struct barkeep_device *dev, unsigned int number)
{
	struct barkeep_config_space *config = &dev->config;
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * number;
	unsigned long flags;
	u64 address;

	if (number >= BARKEEP_BARS || !dev->bars[number].bytes)
		return 0;
	raw_spin_lock_irqsave(&config->lock, flags);
	address = barkeep_config_load(config, offset, 4) & PCI_BASE_ADDRESS_MEM_MASK;
	if (dev->bars[number].flags & BARKEEP_BAR_64BIT)
		address |= (u64)barkeep_config_load(config, offset + 4, 4) << 32;
	raw_spin_unlock_irqrestore(&config->lock, flags);
	return address;
}

/* The function has gone from the bus: for good, and any number of times. */
void barkeep_config_kill(struct barkeep_device *dev)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->config.lock, flags);
	dev->config.dead = true;
	WRITE_ONCE(dev->config.decoding, false);
	WRITE_ONCE(dev->config.mastering, false);
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
}

static long config_model_write(struct barkeep_device *dev, const struct barkeep_config *arg)
{
	struct barkeep_config_space *config = &dev->config;
	u8 *bytes = memdup_user(u64_to_user_ptr(arg->buffer), arg->length);
	unsigned long flags;
	long ret = 0;

	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	raw_spin_lock_irqsave(&config->lock, flags);
	if (barkeep_config_trespasses(config, arg, bytes))
		ret = -EPERM;
	else
		memcpy(&config->image[arg->offset], bytes, arg->length);
	raw_spin_unlock_irqrestore(&config->lock, flags);
	kfree(bytes);
	return ret;
}

static long config_model_read(struct barkeep_device *dev, const struct barkeep_config *arg)
{
	struct barkeep_config_space *config = &dev->config;
	u8 *bytes = kmalloc(arg->length, GFP_KERNEL);
	unsigned long flags;
	long ret;

	if (!bytes)
		return -ENOMEM;
	raw_spin_lock_irqsave(&config->lock, flags);
	memcpy(bytes, &config->image[arg->offset], arg->length);
	raw_spin_unlock_irqrestore(&config->lock, flags);
	ret = copy_to_user(u64_to_user_ptr(arg->buffer), bytes, arg->length) ? -EFAULT : 0;
	kfree(bytes);
	return ret;
}

long barkeep_config_ioctl(struct barkeep_device *dev, struct barkeep_config *arg)
{
	if (arg->offset > BARKEEP_CONFIG_SIZE ||
	    arg->length > BARKEEP_CONFIG_SIZE - arg->offset)
		return -EINVAL;
	if (!arg->length)
		return 0;
	if (arg->flags & BARKEEP_CONFIG_WRITE)
		return config_model_write(dev, arg);
	return config_model_read(dev, arg);
}
