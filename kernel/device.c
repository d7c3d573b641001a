// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a device: created by open(), plugged once, unplugged by ioctl, by
 * the last close or never having succeeded, destroyed with its last reference.
 *
 * The bus side runs on a workqueue and not in the ioctl: a driver that probes
 * or is being removed reads registers, and the process that called the ioctl
 * is the one that must answer.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "access.h"

static struct workqueue_struct *barkeep_works;

static void barkeep_device_destroy(struct work_struct *work)
{
	struct barkeep_device *dev = container_of(work, struct barkeep_device, destroy_work);

	/*
	 * Nothing finds us any more but accesses that began while there were mappings,
	 * and they have ended after this; windows find no device without a reference.
	 */
	synchronize_rcu();
	if (dev->ready) {
		barkeep_watch_destroy(dev);
		barkeep_irq_destroy(dev);
		barkeep_dma_destroy(dev);
		barkeep_window_release(dev);
		barkeep_slots_destroy(dev);
		barkeep_ring_destroy(dev);
		barkeep_registers_destroy(dev);
		barkeep_bars_destroy(dev);
	}
	free_page((unsigned long)dev->status);
	mutex_destroy(&dev->lock);
	kvfree(dev);
	module_put(THIS_MODULE);
}

static void barkeep_device_last(struct kref *refs)
{
	struct barkeep_device *dev = container_of(refs, struct barkeep_device, refs);

	queue_work(barkeep_works, &dev->destroy_work);
}

void barkeep_device_get(struct barkeep_device *dev)
{
	kref_get(&dev->refs);
}

/* Any context but NMI. */
void barkeep_device_put(struct barkeep_device *dev)
{
	kref_put(&dev->refs, barkeep_device_last);
}

static void barkeep_device_set_state(struct barkeep_device *dev, enum barkeep_state state)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->status->state, state);
}

/* From now on a card that was pulled. Any number of times. */
static void barkeep_device_kill(struct barkeep_device *dev)
{
	WRITE_ONCE(dev->dead, true);
	barkeep_config_kill(dev);
	wake_up_all(&dev->ring.settled);
	wake_up_all(&dev->ring.room);
}

/*
 * The process that plugged is ending. Its memory goes first and its files later,
 * and what comes in between may wait for a CPU that waits for this very model.
 */
static void barkeep_device_mm_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	barkeep_device_unplug(container_of(notifier, struct barkeep_device, notifier), true);
}

static const struct mmu_notifier_ops barkeep_mm_operations = {
	.release = barkeep_device_mm_release,
};

static void barkeep_device_enter_bus(struct barkeep_device *dev)
{
	int error = barkeep_bus_plug(dev);

	mutex_lock(&dev->lock);
	if (error) {
		dev->status->error = error;
		dev->unplug = true;
	} else {
		barkeep_device_set_state(dev, BARKEEP_STATE_PLUGGED);
	}
	mutex_unlock(&dev->lock);
	if (!error)
		barkeep_notice(dev, BARKEEP_NOTICE_PLUGGED);
}

static void barkeep_device_leave_bus(struct barkeep_device *dev)
{
	barkeep_bus_unplug(dev);
	/* Before the state says so: whoever has seen it may plug into this domain. */
	barkeep_bus_release(dev);
	barkeep_device_kill(dev);
	barkeep_watch_stop(dev);

	mutex_lock(&dev->lock);
	barkeep_device_set_state(dev, BARKEEP_STATE_GONE);
	mutex_unlock(&dev->lock);
	barkeep_notice(dev, BARKEEP_NOTICE_UNPLUGGED);
	wake_up_all(&dev->ring.readable);
}

static void barkeep_device_bus_work(struct work_struct *work)
{
	struct barkeep_device *dev = container_of(work, struct barkeep_device, bus_work);
	u32 state;

	mutex_lock(&dev->lock);
	state = dev->status->state;
	mutex_unlock(&dev->lock);

	if (state == BARKEEP_STATE_PLUGGING)
		barkeep_device_enter_bus(dev);

	mutex_lock(&dev->lock);
	state = dev->status->state;
	if (dev->unplug && state != BARKEEP_STATE_GONE)
		barkeep_device_set_state(dev, BARKEEP_STATE_UNPLUGGING);
	else
		state = BARKEEP_STATE_GONE;
	mutex_unlock(&dev->lock);

	if (state != BARKEEP_STATE_GONE)
		barkeep_device_leave_bus(dev);
	barkeep_device_put(dev);
}

static void barkeep_device_queue(struct barkeep_device *dev)
{
	barkeep_device_get(dev);
	if (!queue_work(barkeep_works, &dev->bus_work))
		barkeep_device_put(dev);
}

struct barkeep_device *barkeep_device_create(void)
{
	struct barkeep_device *dev = kvzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->status = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!dev->status) {
		kvfree(dev);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&dev->refs);
	mutex_init(&dev->lock);
	init_waitqueue_head(&dev->ring.readable);
	init_waitqueue_head(&dev->ring.settled);
	init_waitqueue_head(&dev->ring.room);
	INIT_WORK(&dev->bus_work, barkeep_device_bus_work);
	INIT_WORK(&dev->destroy_work, barkeep_device_destroy);
	/* The caller has one through the file; ours lasts until destruction. */
	__module_get(THIS_MODULE);
	return dev;
}

static int barkeep_device_plug_locked(struct barkeep_device *dev, struct barkeep_plug *plug)
{
	int ret;

	if (dev->ready)
		return -EBUSY;
	if (!plug->timeout_us || plug->timeout_us > BARKEEP_TIMEOUT_MAX_US)
		return -EINVAL;
	dev->timeout_ns = (u64)plug->timeout_us * NSEC_PER_USEC;

	ret = barkeep_bars_init(dev, plug);
	if (ret)
		return ret;
	ret = barkeep_registers_init(dev, plug);
	if (ret)
		goto err_bars;
	ret = barkeep_config_init(dev, plug);
	if (ret)
		goto err_registers;
	ret = barkeep_ring_init(dev, plug->ring_entries);
	if (ret)
		goto err_registers;
	ret = barkeep_slots_init(dev);
	if (ret)
		goto err_ring;
	ret = barkeep_bus_reserve(dev, plug->domain);
	if (ret)
		goto err_slots;
	ret = barkeep_window_reserve(dev);
	if (ret)
		goto err_bus;
	ret = barkeep_dma_init(dev, plug->flags & BARKEEP_PLUG_DMA_DIRECT);
	if (ret)
		goto err_window;
	ret = barkeep_irq_init(dev);
	if (ret)
		goto err_dma;
	ret = barkeep_watch_init(dev, plug);
	if (ret)
		goto err_irq;
	dev->notifier.ops = &barkeep_mm_operations;
	ret = mmu_notifier_register(&dev->notifier, current->mm);
	if (ret)
		goto err_watch;
	dev->mm = current->mm;

	plug->domain = dev->status->domain;
	barkeep_device_set_state(dev, BARKEEP_STATE_PLUGGING);
	/* Pairs with smp_load_acquire() wherever a part is used. */
	smp_store_release(&dev->ready, true);
	barkeep_device_queue(dev);
	return 0;

err_watch:
	barkeep_watch_destroy(dev);
err_irq:
	barkeep_irq_destroy(dev);
err_dma:
	barkeep_dma_destroy(dev);
err_window:
	barkeep_window_release(dev);
err_bus:
	barkeep_bus_release(dev);
err_slots:
	barkeep_slots_destroy(dev);
err_ring:
	barkeep_ring_destroy(dev);
err_registers:
	barkeep_registers_destroy(dev);
err_bars:
	barkeep_bars_destroy(dev);
	return ret;
}

int barkeep_device_plug(struct barkeep_device *dev, struct barkeep_plug *plug)
{
	int ret;

	mutex_lock(&dev->lock);
	ret = barkeep_device_plug_locked(dev, plug);
	mutex_unlock(&dev->lock);
	return ret;
}

/* The last close; also that of a model that was killed. */
void barkeep_device_close(struct barkeep_device *dev)
{
	if (dev->ready) {
		mmu_notifier_unregister(&dev->notifier, dev->mm);
		barkeep_device_unplug(dev, true);
	}
	barkeep_device_put(dev);
}

void barkeep_device_unplug(struct barkeep_device *dev, bool surprise)
{
	if (surprise) {
		barkeep_device_kill(dev);
		barkeep_bars_kill(dev);
	}

	mutex_lock(&dev->lock);
	if (dev->status->state != BARKEEP_STATE_GONE) {
		dev->unplug = true;
		barkeep_device_queue(dev);
	}
	mutex_unlock(&dev->lock);
}

int barkeep_devices_init(void)
{
	/* Unbound: drivers' probe() and remove() run here, for as long as they like. */
	barkeep_works = alloc_workqueue("barkeep", WQ_UNBOUND, WQ_UNBOUND_MAX_ACTIVE);
	return barkeep_works ? 0 : -ENOMEM;
}

void barkeep_devices_exit(void)
{
	destroy_workqueue(barkeep_works);
}
