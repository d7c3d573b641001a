// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bus: a PCI domain with one root bus and one function on it. Everything the
 * host knows about the function it finds by scanning, as for any other.
 *
 * The rescan lock is the whole machine's, so it is not held while a driver is
 * bound or unbound: that may wait for the model, and the plug of another device
 * would wait with it.
 */
#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "barkeep.h"

/* No driver has this name. */
#define BUS_NO_DRIVER		"(none)"

#define BUS_DOMAIN_FIRST	0x0100
/* libdrm and others parse no more than four digits. */
#define BUS_DOMAINS		0x10000

static DEFINE_MUTEX(bus_domains_lock);
static DECLARE_BITMAP(bus_domains, BUS_DOMAINS);

static bool bus_answers(unsigned int devfn)
{
	return devfn == PCI_DEVFN(0, 0);
}

static int bus_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	if (!bus_answers(devfn))
		return PCIBIOS_DEVICE_NOT_FOUND;
	*value = barkeep_config_read(barkeep_from_pci(bus), where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int bus_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	if (!bus_answers(devfn))
		return PCIBIOS_DEVICE_NOT_FOUND;
	barkeep_config_write(barkeep_from_pci(bus), where, size, value);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops bus_ops = {
	.read = bus_read,
	.write = bus_write,
};

/*
 * Where the function's driver_override is, of which the PCI core had one of its
 * own before all buses shared one; Kbuild knows which.
 */
#ifdef BARKEEP_DEVICE_OVERRIDE
static const char **bus_override_lock(struct pci_dev *pdev)
	__acquires(&pdev->dev.driver_override.lock)
{
	spin_lock(&pdev->dev.driver_override.lock);
	return &pdev->dev.driver_override.name;
}

static void bus_override_unlock(struct pci_dev *pdev)
	__releases(&pdev->dev.driver_override.lock)
{
	spin_unlock(&pdev->dev.driver_override.lock);
}
#else
static const char **bus_override_lock(struct pci_dev *pdev)
{
	device_lock(&pdev->dev);
	return &pdev->driver_override;
}

static void bus_override_unlock(struct pci_dev *pdev)
{
	device_unlock(&pdev->dev);
}
#endif

/*
 * Adding a function to its bus wants the rescan lock and binds a driver, which
 * must not have it: so for that time the function matches no driver. Without
 * memory for that, the driver is bound under the lock.
 */
static void bus_hold(struct pci_dev *pdev)
{
	const char *name = kstrdup(BUS_NO_DRIVER, GFP_KERNEL);
	const char **override = bus_override_lock(pdev);

	if (!*override)
		swap(*override, name);
	bus_override_unlock(pdev);
	kfree(name);
}

/* What user space has set meanwhile stays. */
static void bus_unhold(struct pci_dev *pdev)
{
	const char **override = bus_override_lock(pdev), *name = NULL;

	if (*override && !strcmp(*override, BUS_NO_DRIVER))
		swap(*override, name);
	bus_override_unlock(pdev);
	kfree(name);
}

/*
 * A function is added too when root removes it through sysfs and scans for it
 * again; no driver can be bound yet then.
 */
static int bus_notify(struct notifier_block *block, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct barkeep_device *dev;

	if (pdev->bus->ops != &bus_ops)
		return NOTIFY_DONE;
	dev = barkeep_from_pci(pdev->bus);
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		barkeep_dma_attach(dev, pdev);
		barkeep_irq_attach(dev, pdev);
		/* Before user space hears of the function. */
		if (dev->held)
			bus_hold(pdev);
		return NOTIFY_OK;
	case BUS_NOTIFY_BIND_DRIVER:	/* the one before it may have failed to probe */
	case BUS_NOTIFY_UNBOUND_DRIVER:
		barkeep_dma_detach(dev, pdev);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static struct notifier_block bus_notifier = {
	.notifier_call = bus_notify,
};

int barkeep_bus_init(void)
{
	return bus_register_notifier(&pci_bus_type, &bus_notifier);
}

void barkeep_bus_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &bus_notifier);
}

/* Whether anyone else has a function in this domain. */
static bool bus_domain_foreign(u32 domain)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (pci_domain_nr(pdev->bus) == domain) {
			pci_dev_put(pdev);
			return true;
		}
	}
	return false;
}

static int bus_find_domain(void)
{
	unsigned int domain = BUS_DOMAIN_FIRST;

	lockdep_assert_held(&bus_domains_lock);
	for_each_clear_bit_from(domain, bus_domains, BUS_DOMAINS) {
		if (!bus_domain_foreign(domain))
			return domain;
	}
	return -ENOSPC;
}

int barkeep_bus_reserve(struct barkeep_device *dev, u32 domain)
{
	int ret = domain;

	if (domain != BARKEEP_ANY && domain >= BUS_DOMAINS)
		return -EINVAL;
	mutex_lock(&bus_domains_lock);
	if (domain == BARKEEP_ANY)
		ret = bus_find_domain();
	else if (test_bit(domain, bus_domains) || bus_domain_foreign(domain))
		ret = -EBUSY;
	if (ret >= 0)
		__set_bit(ret, bus_domains);
	mutex_unlock(&bus_domains_lock);
	if (ret < 0)
		return ret;

	dev->sysdata = (struct pci_sysdata){ .domain = ret, .node = NUMA_NO_NODE };
	WRITE_ONCE(dev->status->domain, ret);
	return 0;
}

/*
 * For a domain whose bus has gone, from sysfs and proc too. What still holds the
 * old function reaches it by pointer; the number leads nowhere any more.
 */
void barkeep_bus_release(struct barkeep_device *dev)
{
	mutex_lock(&bus_domains_lock);
	__clear_bit(dev->sysdata.domain, bus_domains);
	mutex_unlock(&bus_domains_lock);
}

/* The last pci_dev of the bus has gone, long after unplug if someone held it. */
static void bus_bridge_release(struct pci_host_bridge *bridge)
{
	barkeep_device_put(bridge->release_data);
}

static int bus_create(struct barkeep_device *dev)
{
	LIST_HEAD(resources);
	int n;

	dev->busn = (struct resource){ .name = "barkeep", .flags = IORESOURCE_BUS };
	pci_add_resource(&resources, &dev->busn);
	for (n = 0; n < ARRAY_SIZE(dev->windows); n++) {
		if (dev->windows[n].resource.flags)
			pci_add_resource(&resources, &dev->windows[n].resource);
	}
	dev->bus = pci_create_root_bus(NULL, 0, &bus_ops, &dev->sysdata, &resources);
	pci_free_resource_list(&resources);
	if (!dev->bus)
		return -EIO;

	/* Matches barkeep_device_put() in bus_bridge_release(). */
	barkeep_device_get(dev);
	pci_set_host_bridge_release(to_pci_host_bridge(dev->bus->bridge), bus_bridge_release, dev);
	dev_set_msi_domain(&dev->bus->dev, dev->irqs.msi_domain);
	return 0;
}

static int bus_scan(struct barkeep_device *dev)
{
	struct pci_dev *pdev;
	int n, ret = 0;

	pci_scan_child_bus(dev->bus);
	pdev = pci_get_slot(dev->bus, PCI_DEVFN(0, 0));
	if (!pdev)
		return -EIO;
	/* What has found its way past config_check() would be assigned address space. */
	for (n = PCI_ROM_RESOURCE; n < PCI_NUM_RESOURCES; n++) {
		if (pdev->resource[n].flags)
			ret = -EIO;
	}
	if (!ret)
		pci_bus_assign_resources(dev->bus);
	for (n = 0; !ret && n < BARKEEP_BARS; n++) {
		if (pci_resource_len(pdev, n) != dev->bars[n].bytes)
			ret = -EIO;
		else if (dev->bars[n].bytes && !pdev->resource[n].parent)
			ret = -ENOSPC;
	}
	WRITE_ONCE(dev->status->bus, dev->bus->number);
	WRITE_ONCE(dev->status->devfn, pdev->devfn);
	pci_dev_put(pdev);
	return ret;
}

static void bus_remove(struct barkeep_device *dev)
{
	struct pci_host_bridge *bridge = to_pci_host_bridge(dev->bus->bridge);

	pci_stop_root_bus(dev->bus);
	pci_remove_root_bus(dev->bus);
	dev->bus = NULL;
	/* That of pci_create_root_bus(), which nothing else drops. */
	pci_free_host_bridge(bridge);
}

/* Returns the function on its bus, without a driver if that can be had. */
static struct pci_dev *bus_add(struct barkeep_device *dev)
{
	int ret = bus_create(dev);

	if (ret)
		return ERR_PTR(ret);
	dev->held = true;
	ret = bus_scan(dev);
	dev->held = false;
	if (ret) {
		bus_remove(dev);
		return ERR_PTR(ret);
	}
	pci_bus_add_devices(dev->bus);
	return pci_get_slot(dev->bus, PCI_DEVFN(0, 0));
}

int barkeep_bus_plug(struct barkeep_device *dev)
{
	struct pci_dev *pdev;
	int ret;

	/*
	 * The core has quirks for some classes and vendors that look into BARs, trust
	 * what they find, and would wait for the model with the lock held. They leave
	 * alone what does not decode.
	 */
	barkeep_config_hide(dev, true);
	pci_lock_rescan_remove();
	pdev = bus_add(dev);
	pci_unlock_rescan_remove();
	barkeep_config_hide(dev, false);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);

	bus_unhold(pdev);
	/* A driver that fails is the driver's, as for any device. */
	ret = device_attach(&pdev->dev);
	if (ret < 0)
		pci_dbg(pdev, "no driver: %d\n", ret);
	pci_dev_put(pdev);
	return 0;
}

/*
 * Root may have removed the function already, or scanned for it again: it is
 * looked for, not remembered.
 */
static void bus_unbind(struct barkeep_device *dev)
{
	struct pci_dev *pdev = pci_get_slot(dev->bus, PCI_DEVFN(0, 0));

	if (!pdev)
		return;
	/* What pci_dev_set_disconnected() does: drivers then do not wait for it. */
	if (READ_ONCE(dev->config.dead))
		pdev->error_state = pci_channel_io_perm_failure;
	/* No driver matches from here on; one that has just done so is yet to bind. */
	device_lock(&pdev->dev);
	pdev->match_driver = false;
	device_unlock(&pdev->dev);
	device_release_driver(&pdev->dev);
	pci_dev_put(pdev);
}

void barkeep_bus_unplug(struct barkeep_device *dev)
{
	if (!dev->bus)
		return;
	bus_unbind(dev);
	/* That one, or the driver of a function found anew. */
	bus_unbind(dev);
	pci_lock_rescan_remove();
	bus_remove(dev);
	pci_unlock_rescan_remove();
}
