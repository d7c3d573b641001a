// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: MSI and INTx as the interrupt core and config space see them.
 *
 * Locks: the interrupt core's are outside config.lock, for it masks through config
 * space and comes here with them held. So whatever leads back into the core runs
 * from a vector's carrier, in irq_vector.c, without config.lock.
 */
#include <linux/bitfield.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/nospec.h>

#include "config.h"
#include "irq.h"

/*
 * Numbers the interrupt domains: their names are unique in debugfs, and live longer
 * than a device's PCI domain is its own.
 */
static atomic_t irq_serial;

/*
 * The affinity may change at any time: there is no hardware to race with. And there is
 * no count of interrupts that no driver handled, the end of which is a stack trace in the
 * log: a model can raise as many as it likes, and irq_vector.c bounds what they cost.
 */
#define IRQ_SETTINGS	(IRQ_MOVE_PCNTXT | IRQ_IS_POLLED)

/* Where x86 sends its own messages, so that no memory has this address. */
#define IRQ_MESSAGE_ADDRESS	0xfee00000

static u32 irq_msi_load(struct barkeep_device *dev, unsigned int offset, unsigned int width)
{
	return barkeep_config_load(&dev->config, dev->config.msi + offset, width);
}

/* Vectors that the capability has. */
static unsigned int irq_capable(struct barkeep_device *dev)
{
	u32 vectors;

	if (!dev->config.msi)
		return 0;
	vectors = 1U << FIELD_GET(PCI_MSI_FLAGS_QMASK, irq_msi_load(dev, PCI_MSI_FLAGS, 2));
	return min_t(u32, vectors, BARKEEP_VECTORS_MAX);
}

/* Vectors that the driver has enabled. */
unsigned int barkeep_irq_enabled(struct barkeep_device *dev)
{
	u32 flags;

	if (!dev->config.msi)
		return 0;
	flags = irq_msi_load(dev, PCI_MSI_FLAGS, 2);
	if (!(flags & PCI_MSI_FLAGS_ENABLE))
		return 0;
	return min(1U << FIELD_GET(PCI_MSI_FLAGS_QSIZE, flags), irq_capable(dev));
}

static u32 irq_masked(struct barkeep_device *dev)
{
	u32 flags = irq_msi_load(dev, PCI_MSI_FLAGS, 2);

	if (!(flags & PCI_MSI_FLAGS_MASKBIT))
		return 0;
	return irq_msi_load(dev, flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32,
			    4);
}

/* The Pending Bits register, if there is one, shows what is pending. */
void barkeep_irq_show_pending(struct barkeep_device *dev)
{
	u32 flags = irq_msi_load(dev, PCI_MSI_FLAGS, 2);
	unsigned int offset = PCI_MSI_PENDING_32;

	if (!(flags & PCI_MSI_FLAGS_MASKBIT))
		return;
	if (flags & PCI_MSI_FLAGS_64BIT)
		offset = PCI_MSI_PENDING_64;
	barkeep_config_store(&dev->config, dev->config.msi + offset, 4, dev->irqs.pending);
}

/* Whether the line is to interrupt the host now. Under config.lock. */
bool barkeep_irq_line_active(struct barkeep_device *dev)
{
	u32 command = barkeep_config_load(&dev->config, PCI_COMMAND, 2);

	return dev->irqs.line && !dev->irqs.intx_masked && !dev->config.dead &&
	       !READ_ONCE(dev->status->power) && !(command & PCI_COMMAND_INTX_DISABLE) &&
	       !barkeep_irq_enabled(dev);
}

/*
 * Sends what may be sent now: after each change of config space, and of anything
 * else that it depends on. Under config.lock.
 */
void barkeep_irq_update(struct barkeep_device *dev)
{
	struct barkeep_irqs *irqs = &dev->irqs;
	unsigned int enabled = barkeep_irq_enabled(dev);
	unsigned long ready;
	unsigned int n;

	if (irqs->pending && !enabled) {
		irqs->pending = 0;
		barkeep_irq_show_pending(dev);
	}
	if (irqs->pending && dev->config.mastering) {
		ready = irqs->pending & ~irq_masked(dev);
		for_each_set_bit(n, &ready, enabled) {
			if (!irqs->vectors[n].started)
				continue;
			irqs->pending &= ~BIT(n);
			barkeep_vector_send(&irqs->vectors[n]);
		}
		barkeep_irq_show_pending(dev);
	}
	if (!irqs->intx.started || !barkeep_irq_line_active(dev))
		return;
	if (READ_ONCE(dev->unresponsive))
		barkeep_vector_send_later(&irqs->intx);
	else
		barkeep_vector_send(&irqs->intx);
}

static void irq_set_line(struct barkeep_device *dev, bool asserted)
{
	u32 status = barkeep_config_load(&dev->config, PCI_STATUS, 2);

	dev->irqs.line = asserted;
	status &= ~PCI_STATUS_INTERRUPT;
	if (asserted)
		status |= PCI_STATUS_INTERRUPT;
	barkeep_config_store(&dev->config, PCI_STATUS, 2, status);
	WRITE_ONCE(dev->status->line, asserted);
}

/* A reset of the function, after its config space. Under config.lock. */
void barkeep_irq_reset(struct barkeep_device *dev)
{
	dev->irqs.pending = 0;
	irq_set_line(dev, false);
}

/*
 * A driver requests it. Its handler is installed only after this, so what is sent
 * from here may come too early: handle_edge_irq() then notes it as pending, and
 * irq_startup(), once there is a handler, sends it again by irq_msi_retrigger().
 * The line is masked until then.
 *
 * What the driver never frees keeps the device, and so the interrupt's domain and
 * chip, for the interrupt core goes on using both.
 */
static int irq_request_resources(struct irq_data *data)
{
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	barkeep_device_get(vector->dev);
	raw_spin_lock_irqsave(&vector->dev->config.lock, flags);
	vector->started = true;
	barkeep_irq_update(vector->dev);
	raw_spin_unlock_irqrestore(&vector->dev->config.lock, flags);
	return 0;
}

/* Before the interrupt is freed; what still travels must not find another's. */
static void irq_release_resources(struct irq_data *data)
{
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&vector->dev->config.lock, flags);
	vector->started = false;
	raw_spin_unlock_irqrestore(&vector->dev->config.lock, flags);
	barkeep_vector_settle(vector);
	barkeep_device_put(vector->dev);
}

static int irq_set_cpu(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);
	unsigned int cpu;

	cpu = force ? cpumask_first(mask) : cpumask_any_and_distribute(mask, cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	WRITE_ONCE(vector->cpu, cpu);
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
	return IRQ_SET_MASK_OK;
}

static void irq_msi_ack(struct irq_data *data)
{
	/* An edge that has been taken is gone. */
}

static int irq_msi_retrigger(struct irq_data *data)
{
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&vector->dev->config.lock, flags);
	barkeep_vector_send(vector);
	raw_spin_unlock_irqrestore(&vector->dev->config.lock, flags);
	return 1;
}

static void irq_msi_compose(struct irq_data *data, struct msi_msg *message)
{
	message->address_hi = 0;
	message->address_lo = IRQ_MESSAGE_ADDRESS;
	message->data = data->hwirq;
}

static struct irq_chip irq_msi_chip = {
	.name = "barkeep-MSI",
	.irq_ack = irq_msi_ack,
	.irq_retrigger = irq_msi_retrigger,
	.irq_set_affinity = irq_set_cpu,
	.irq_compose_msi_msg = irq_msi_compose,
	.irq_request_resources = irq_request_resources,
	.irq_release_resources = irq_release_resources,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

static void irq_msi_set_desc(msi_alloc_info_t *arg, struct msi_desc *desc)
{
	arg->desc = desc;
	arg->hwirq = desc->msi_index;
}

static int irq_msi_init(struct irq_domain *domain, struct msi_domain_info *info,
			unsigned int irq, irq_hw_number_t number, msi_alloc_info_t *arg)
{
	struct barkeep_device *dev = barkeep_from_pci(msi_desc_to_pci_dev(arg->desc)->bus);
	struct barkeep_vector *vector;

	if (number >= BARKEEP_VECTORS_MAX)
		return -EINVAL;
	vector = &dev->irqs.vectors[number];
	irq_domain_set_info(domain, irq, number, info->chip, vector, handle_edge_irq, NULL, "edge");
	irq_set_status_flags(irq, IRQ_SETTINGS);
	/* Until irq_msi_free(): see irq_request_resources(). */
	barkeep_device_get(dev);
	WRITE_ONCE(vector->irq, irq);
	return 0;
}

static void irq_msi_free(struct irq_domain *domain, struct msi_domain_info *info, unsigned int irq)
{
	struct irq_data *data = irq_domain_get_irq_data(domain, irq);
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(vector->irq, 0);
	barkeep_device_put(vector->dev);
}

static struct msi_domain_ops irq_msi_ops = {
	.set_desc = irq_msi_set_desc,
	.msi_init = irq_msi_init,
	.msi_free = irq_msi_free,
};

/* Shared by all devices: what the core fills in is the same for each. */
static struct msi_domain_info irq_msi_info = {
	.flags = MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS | MSI_FLAG_MULTI_PCI_MSI,
	.ops = &irq_msi_ops,
	.chip = &irq_msi_chip,
};

static void irq_intx_set_masked(struct irq_data *data, bool masked)
{
	struct barkeep_vector *vector = irq_data_get_irq_chip_data(data);
	struct barkeep_device *dev = vector->dev;
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->config.lock, flags);
	dev->irqs.intx_masked = masked;
	barkeep_irq_update(dev);
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
}

static void irq_intx_mask(struct irq_data *data)
{
	irq_intx_set_masked(data, true);
}

static void irq_intx_unmask(struct irq_data *data)
{
	irq_intx_set_masked(data, false);
}

static struct irq_chip irq_intx_chip = {
	.name = "barkeep-INTx",
	.irq_mask = irq_intx_mask,
	.irq_unmask = irq_intx_unmask,
	.irq_set_affinity = irq_set_cpu,
	.irq_request_resources = irq_request_resources,
	.irq_release_resources = irq_release_resources,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

static int irq_intx_map(struct irq_domain *domain, unsigned int irq, irq_hw_number_t number)
{
	struct barkeep_device *dev = domain->host_data;

	irq_set_chip_and_handler(irq, &irq_intx_chip, handle_level_irq);
	irq_set_chip_data(irq, &dev->irqs.intx);
	irq_set_status_flags(irq, IRQ_LEVEL | IRQ_NOPROBE | IRQ_SETTINGS);
	return 0;
}

static const struct irq_domain_ops irq_intx_ops = {
	.map = irq_intx_map,
};

static bool irq_has_pin(struct barkeep_device *dev)
{
	return dev->config.image[PCI_INTERRUPT_PIN];
}

static int irq_intx_create(struct barkeep_device *dev)
{
	struct barkeep_irqs *irqs = &dev->irqs;

	irqs->intx_fwnode = irq_domain_alloc_named_id_fwnode("barkeep-INTx",
							     atomic_inc_return(&irq_serial));
	if (!irqs->intx_fwnode)
		return -ENOMEM;
	irqs->intx_domain = irq_domain_create_linear(irqs->intx_fwnode, 1, &irq_intx_ops, dev);
	if (!irqs->intx_domain)
		return -ENOMEM;
	irqs->intx.irq = irq_create_mapping(irqs->intx_domain, 0);
	return irqs->intx.irq ? 0 : -ENOMEM;
}

int barkeep_irq_init(struct barkeep_device *dev)
{
	struct barkeep_irqs *irqs = &dev->irqs;
	int n, ret = -ENOMEM;

	for (n = 0; n < BARKEEP_VECTORS_MAX; n++)
		barkeep_vector_init(dev, &irqs->vectors[n]);
	barkeep_vector_init(dev, &irqs->intx);
	irqs->intx_masked = true;

	irqs->msi_fwnode = irq_domain_alloc_named_id_fwnode("barkeep-MSI",
							    atomic_inc_return(&irq_serial));
	if (!irqs->msi_fwnode)
		goto err;
	irqs->msi_domain = pci_msi_create_irq_domain(irqs->msi_fwnode, &irq_msi_info, NULL);
	if (!irqs->msi_domain)
		goto err;
	/*
	 * Not the platform's: else interrupt remapping, where that is on, takes the
	 * function away from us.
	 */
	irq_domain_update_bus_token(irqs->msi_domain, DOMAIN_BUS_VMD_MSI);
	if (irq_has_pin(dev)) {
		ret = irq_intx_create(dev);
		if (ret)
			goto err;
	}
	return 0;

err:
	barkeep_irq_destroy(dev);
	return ret;
}

static void irq_domain_destroy(struct irq_domain *domain, struct fwnode_handle *fwnode)
{
	if (domain)
		irq_domain_remove(domain);
	if (fwnode)
		irq_domain_free_fwnode(fwnode);
}

void barkeep_irq_destroy(struct barkeep_device *dev)
{
	struct barkeep_irqs *irqs = &dev->irqs;
	int n;

	for (n = 0; n < BARKEEP_VECTORS_MAX; n++)
		barkeep_vector_settle(&irqs->vectors[n]);
	barkeep_vector_settle(&irqs->intx);
	if (irqs->intx.irq)
		irq_dispose_mapping(irqs->intx.irq);
	irq_domain_destroy(irqs->intx_domain, irqs->intx_fwnode);
	irq_domain_destroy(irqs->msi_domain, irqs->msi_fwnode);
	memset(irqs, 0, sizeof(*irqs));
}

/*
 * pdev->pin is for those who look up where a pin is routed to, which is ACPI and
 * would warn that it does not know. Drivers use the number, and config space still
 * shows the pin.
 */
void barkeep_irq_attach(struct barkeep_device *dev, struct pci_dev *pdev)
{
	pdev->pin = 0;
	pdev->irq = dev->irqs.intx.irq;
}

static long irq_raise(struct barkeep_device *dev, u32 number)
{
	struct barkeep_irqs *irqs = &dev->irqs;

	if (number >= irq_capable(dev))
		return -ERANGE;
	number = array_index_nospec(number, BARKEEP_VECTORS_MAX);
	if (number >= barkeep_irq_enabled(dev) || !READ_ONCE(irqs->vectors[number].irq))
		return -EAGAIN;
	if (!dev->config.mastering)
		return -EACCES;
	irqs->pending |= BIT(number);
	barkeep_irq_update(dev);
	return 0;
}

static long irq_assert(struct barkeep_device *dev, u32 number)
{
	if (!irq_has_pin(dev))
		return -ERANGE;
	irq_set_line(dev, true);
	barkeep_irq_update(dev);
	return 0;
}

static long irq_deassert(struct barkeep_device *dev, u32 number)
{
	if (!irq_has_pin(dev))
		return -ERANGE;
	irq_set_line(dev, false);
	return 0;
}

static const struct {
	bool vector;
	long (*call)(struct barkeep_device *dev, u32 number);
} irq_operations[] = {
	[BARKEEP_IRQ_RAISE] = { true, irq_raise },
	[BARKEEP_IRQ_ASSERT] = { false, irq_assert },
	[BARKEEP_IRQ_DEASSERT] = { false, irq_deassert },
};

long barkeep_irq_ioctl(struct barkeep_device *dev, struct barkeep_irq *arg)
{
	unsigned long flags;
	long ret = -ENODEV;
	u32 operation;

	if (arg->operation >= ARRAY_SIZE(irq_operations))
		return -EINVAL;
	operation = array_index_nospec(arg->operation, ARRAY_SIZE(irq_operations));
	if (arg->vector && !irq_operations[operation].vector)
		return -EINVAL;
	raw_spin_lock_irqsave(&dev->config.lock, flags);
	dev->irqs.model_cpu = smp_processor_id();
	cpumask_copy(&dev->irqs.model_cpus, mm_cpumask(current->mm));
	if (!dev->config.dead)
		ret = irq_operations[operation].call(dev, arg->vector);
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
	return ret;
}
