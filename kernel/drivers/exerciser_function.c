// SPDX-License-Identifier: GPL-2.0-only
/* Commands for the function as a whole: Command register, interrupts, reset, power. */
#include <linux/interrupt.h>

#include "exerciser.h"

static irqreturn_t exerciser_interrupt(int irq, void *data)
{
	struct exerciser_vector *vector = data;
	void __iomem *handled = READ_ONCE(vector->exerciser->handled);

	if (handled)
		WRITE_ONCE(vector->exerciser->last, readl(handled));
	atomic_inc(&vector->count);
	if (READ_ONCE(vector->exerciser->ignores))
		return IRQ_NONE;
	/* A level that nobody lowers: what a test looks at is that it came. */
	if (!pci_dev_msi_enabled(vector->exerciser->pdev))
		disable_irq_nosync(irq);
	return IRQ_HANDLED;
}

int exerciser_master(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	if (arguments[0])
		pci_set_master(exerciser->pdev);
	else
		pci_clear_master(exerciser->pdev);
	return 0;
}

int exerciser_memory(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u16 command;

	pci_read_config_word(exerciser->pdev, PCI_COMMAND, &command);
	command &= ~PCI_COMMAND_MEMORY;
	if (arguments[0])
		command |= PCI_COMMAND_MEMORY;
	pci_write_config_word(exerciser->pdev, PCI_COMMAND, command);
	return 0;
}

void exerciser_free_vectors(struct exerciser *exerciser)
{
	int n;

	if (!exerciser->vectors)
		return;
	for (n = 0; n < exerciser->vectors; n++)
		free_irq(pci_irq_vector(exerciser->pdev, n), &exerciser->vector[n]);
	pci_free_irq_vectors(exerciser->pdev);
	exerciser->vectors = 0;
}

static int exerciser_request(struct exerciser *exerciser, u64 count, unsigned int kind)
{
	struct pci_dev *pdev = exerciser->pdev;
	int n, ret;

	exerciser_free_vectors(exerciser);
	if (!count)
		return 0;
	if (count > VECTORS_MAX)
		return -ERANGE;
	ret = pci_alloc_irq_vectors(pdev, count, count, kind);
	if (ret < 0)
		return ret;
	for (n = 0; n < count; n++) {
		exerciser->vector[n].exerciser = exerciser;
		atomic_set(&exerciser->vector[n].count, 0);
		ret = request_irq(pci_irq_vector(pdev, n), exerciser_interrupt,
				  kind == PCI_IRQ_MSI ? 0 : IRQF_SHARED, "exerciser",
				  &exerciser->vector[n]);
		if (ret)
			goto err;
	}
	exerciser->vectors = count;
	return 0;

err:
	while (n--)
		free_irq(pci_irq_vector(pdev, n), &exerciser->vector[n]);
	pci_free_irq_vectors(pdev);
	return ret;
}

int exerciser_vectors(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	return exerciser_request(exerciser, arguments[0], PCI_IRQ_MSI);
}

int exerciser_intx(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	/* PCI_IRQ_INTX of newer kernels. */
	return exerciser_request(exerciser, !!arguments[0], 1 << 0);
}

int exerciser_interrupts(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	int n, length = 0;

	for (n = 0; n < exerciser->vectors; n++)
		length += scnprintf(answer + length, ANSWER_BYTES - length,
				    "%s%d", n ? " " : "",
				    atomic_read(&exerciser->vector[n].count));
	return 0;
}

int exerciser_handler(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (!ret)
		WRITE_ONCE(exerciser->handled, at);
	return ret;
}

int exerciser_ignore(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	WRITE_ONCE(exerciser->ignores, arguments[0]);
	return 0;
}

int exerciser_handled(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	sprintf(answer, "%#x", READ_ONCE(exerciser->last));
	return 0;
}

int exerciser_reset(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	int ret = pci_save_state(exerciser->pdev);

	if (!ret)
		ret = pcie_reset_flr(exerciser->pdev, PCI_RESET_DO_RESET);
	pci_restore_state(exerciser->pdev);
	return ret;
}

int exerciser_power(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	if (arguments[0] != 0 && arguments[0] != 3)
		return -EINVAL;
	return pci_set_power_state(exerciser->pdev, arguments[0] ? PCI_D3hot : PCI_D0);
}
