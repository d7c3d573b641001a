// SPDX-License-Identifier: GPL-2.0-only
/*
 * What config space may hold. It is data from user space, checked once; what the
 * kernel must act on, it takes over: BARs that can be sized, bits that the host can
 * write whatever the masks say, and what neither masks nor model may change later.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/uaccess.h>

#include "config.h"

/* What offsets in the tables below are relative to. */
enum config_base {
	BASE_HEADER,
	BASE_PM,
	BASE_PCIE,
	BASE_MSI,
};

/**
 * struct config_register - bits that do not depend on the masks
 * @base: what @offset is relative to
 * @offset: first byte
 * @width: bytes
 * @host: the host can write them, and they are 0 after a reset
 * @fixed: neither host nor model can
 */
struct config_register {
	enum config_base base;
	u8 offset;
	u8 width;
	u32 host;
	u32 fixed;
};

static const struct config_register config_registers[] = {
	{ BASE_HEADER, PCI_VENDOR_ID, 4, 0, 0xffffffff },
	{ BASE_HEADER, PCI_COMMAND, 2,
	  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
	  PCI_COMMAND_INTX_DISABLE, 0 },
	{ BASE_HEADER, PCI_STATUS, 2, 0, PCI_STATUS_INTERRUPT | PCI_STATUS_CAP_LIST },
	{ BASE_HEADER, PCI_HEADER_TYPE, 1, 0, 0xff },
	{ BASE_HEADER, PCI_ROM_ADDRESS, 4, 0, 0xffffffff },
	{ BASE_HEADER, PCI_CAPABILITY_LIST, 1, 0, 0xff },
	{ BASE_HEADER, PCI_INTERRUPT_LINE, 1, 0xff, 0 },
	{ BASE_HEADER, PCI_INTERRUPT_PIN, 1, 0, 0xff },
	{ BASE_PM, PCI_PM_PMC, 2, 0, 0xffff },
	{ BASE_PM, PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK, PCI_PM_CTRL_NO_SOFT_RESET },
	{ BASE_PCIE, PCI_EXP_FLAGS, 2, 0, 0xffff },
	{ BASE_PCIE, PCI_EXP_DEVCAP, 4, 0, PCI_EXP_DEVCAP_FLR },
	{ BASE_PCIE, PCI_EXP_DEVCTL, 2, 0, PCI_EXP_DEVCTL_BCR_FLR },
	{ BASE_MSI, PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE,
	  PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT },
	{ BASE_MSI, PCI_MSI_ADDRESS_LO, 4, 0xfffffffc, 0x3 },
};

/**
 * struct config_range - what the model cannot write
 * @base: what @offset is relative to
 * @offset: first byte
 * @length: bytes; 0: all of the capability
 */
struct config_range {
	enum config_base base;
	u8 offset;
	u8 length;
};

static const struct config_range config_host_owned[] = {
	{ BASE_HEADER, PCI_VENDOR_ID, 8 },
	{ BASE_HEADER, PCI_HEADER_TYPE, 1 },
	{ BASE_HEADER, PCI_BASE_ADDRESS_0, 24 },
	{ BASE_HEADER, PCI_ROM_ADDRESS, 4 },
	{ BASE_HEADER, PCI_CAPABILITY_LIST, 1 },
	{ BASE_HEADER, PCI_INTERRUPT_LINE, 2 },
	{ BASE_PM, 0, PCI_PM_CTRL + 2 },
	{ BASE_PCIE, 0, PCI_EXP_DEVCTL + 2 },
	{ BASE_PCIE, PCI_EXP_LNKCTL, 2 },
	{ BASE_PCIE, PCI_EXP_DEVCTL2, 2 },
	{ BASE_PCIE, PCI_EXP_LNKCTL2, 2 },
	{ BASE_MSI, 0, 0 },
};

static unsigned int config_msi_size(struct barkeep_config_space *config, unsigned int msi)
{
	u32 flags = barkeep_config_load(config, msi + PCI_MSI_FLAGS, 2);

	if (flags & PCI_MSI_FLAGS_MASKBIT)
		return flags & PCI_MSI_FLAGS_64BIT ? 24 : 20;
	return flags & PCI_MSI_FLAGS_64BIT ? 14 : 10;
}

static unsigned int config_pcie_size(struct barkeep_config_space *config, unsigned int pcie)
{
	u32 flags = barkeep_config_load(config, pcie + PCI_EXP_FLAGS, 2);

	if ((flags & PCI_EXP_FLAGS_VERS) < 2)
		return PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
	return PCI_EXP_LNKSTA2 + 2;
}

static unsigned int config_capability_size(struct barkeep_config_space *config,
					   unsigned int offset)
{
	switch (config->image[offset]) {
	case PCI_CAP_ID_PM:
		return PCI_PM_SIZEOF;
	case PCI_CAP_ID_MSI:
		return config_msi_size(config, offset);
	case PCI_CAP_ID_EXP:
		return config_pcie_size(config, offset);
	default:
		return PCI_CAP_SIZEOF;
	}
}

/*
 * What the host would act on and the kernel does not serve: MSI-X tables, which
 * the core maps past our window's end if it is told so; Enhanced Allocation and
 * SR-IOV, which bring BARs of their own; DOE mailboxes, which the core polls for
 * a minute each, with the rescan lock held.
 */
static bool config_refused(unsigned int offset, u32 id)
{
	if (offset >= PCI_CFG_SPACE_SIZE)
		return id == PCI_EXT_CAP_ID_DOE || id == PCI_EXT_CAP_ID_SRIOV;
	return id == PCI_CAP_ID_MSIX || id == PCI_CAP_ID_EA;
}

/* Where the kernel keeps the offset of a capability, NULL for one it has no use for. */
static u16 *config_known(struct barkeep_config_space *config, u8 id)
{
	switch (id) {
	case PCI_CAP_ID_PM:
		return &config->pm;
	case PCI_CAP_ID_MSI:
		return &config->msi;
	case PCI_CAP_ID_EXP:
		return &config->pcie;
	default:
		return NULL;
	}
}

static bool config_has(struct barkeep_config_space *config, enum config_base base,
		       unsigned int *offset)
{
	switch (base) {
	case BASE_HEADER:
		*offset = 0;
		return true;
	case BASE_PM:
		*offset = config->pm;
		break;
	case BASE_PCIE:
		*offset = config->pcie;
		break;
	case BASE_MSI:
		*offset = config->msi;
		break;
	}
	return *offset;
}

/* No dword belongs to two capabilities, which rules out circles as well. */
static int config_check_capabilities(struct barkeep_config_space *config)
{
	DECLARE_BITMAP(taken, PCI_CFG_SPACE_SIZE / 4) = {};
	unsigned int offset = config->image[PCI_CAPABILITY_LIST];

	while (offset) {
		unsigned int first = offset / 4, end;
		u16 *known;

		if (offset < PCI_STD_HEADER_SIZEOF || offset % 4 ||
		    config_refused(offset, config->image[offset]))
			return -EINVAL;
		end = DIV_ROUND_UP(offset + config_capability_size(config, offset), 4);
		if (end > PCI_CFG_SPACE_SIZE / 4 || find_next_bit(taken, end, first) < end)
			return -EINVAL;
		bitmap_set(taken, first, end - first);
		__set_bit(first, config->headers);

		known = config_known(config, config->image[offset]);
		if (known && *known)
			return -EINVAL;
		if (known)
			*known = offset;
		offset = config->image[offset + PCI_CAP_LIST_NEXT];
	}
	return 0;
}

static int config_check_extended(struct barkeep_config_space *config)
{
	unsigned int offset = PCI_CFG_SPACE_SIZE;
	u32 header;

	while (offset) {
		if (offset < PCI_CFG_SPACE_SIZE || offset % 4 ||
		    __test_and_set_bit(offset / 4, config->headers))
			return -EINVAL;
		header = barkeep_config_load(config, offset, 4);
		if (config_refused(offset, PCI_EXT_CAP_ID(header)))
			return -EINVAL;
		offset = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

/*
 * Those that the core takes for an empty slot, and the one that has it wait for
 * the function to become ready, for a minute with the rescan lock held.
 */
static bool config_vendor_possible(u32 vendor)
{
	return vendor > 1 && vendor < 0xffff;
}

static int config_check(struct barkeep_config_space *config)
{
	u32 flags;
	int ret;

	if (!config_vendor_possible(barkeep_config_load(config, PCI_VENDOR_ID, 2)) ||
	    config->image[PCI_HEADER_TYPE] != PCI_HEADER_TYPE_NORMAL ||
	    config->image[PCI_INTERRUPT_PIN] > 4 ||
	    memchr_inv(&config->image[PCI_BASE_ADDRESS_0], 0, 4 * BARKEEP_BARS) ||
	    memchr_inv(&config->image[PCI_ROM_ADDRESS], 0, 4))
		return -EINVAL;
	ret = config_check_capabilities(config);
	if (ret)
		return ret;
	flags = config->msi ? barkeep_config_load(config, config->msi + PCI_MSI_FLAGS, 2) : 0;
	if (1U << FIELD_GET(PCI_MSI_FLAGS_QMASK, flags) > BARKEEP_VECTORS_MAX)
		return -EINVAL;
	return config_check_extended(config);
}

/* Of a capability's first dword: what makes it that capability, and the list. */
static unsigned int config_header_size(unsigned int offset)
{
	return offset < PCI_CFG_SPACE_SIZE ? PCI_CAP_FLAGS : 4;
}

/* See struct config_register. */
static void config_own(struct barkeep_config_space *config, unsigned int offset,
		       unsigned int width, u32 host, u32 fixed)
{
	unsigned int n;

	for (n = 0; n < width; n++, host >>= 8, fixed >>= 8) {
		config->image[offset + n] &= ~host;
		config->write_mask[offset + n] |= host;
		config->write_mask[offset + n] &= ~fixed;
		config->clear_mask[offset + n] &= ~(host | fixed);
	}
}

static void config_own_bar(struct barkeep_config_space *config,
			   const struct barkeep_bar_memory *bar)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar->number;
	u32 type = PCI_BASE_ADDRESS_SPACE_MEMORY;
	u64 address = ~(bar->bytes - 1);

	if (bar->flags & BARKEEP_BAR_PREFETCHABLE)
		type |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	config_own(config, offset, 4, lower_32_bits(address), ~lower_32_bits(address));
	if (bar->flags & BARKEEP_BAR_64BIT) {
		type |= PCI_BASE_ADDRESS_MEM_TYPE_64;
		config_own(config, offset + 4, 4, upper_32_bits(address),
			   ~upper_32_bits(address));
	}
	barkeep_config_store(config, offset, 4, type);
}

static void config_own_msi(struct barkeep_config_space *config)
{
	u32 flags = barkeep_config_load(config, config->msi + PCI_MSI_FLAGS, 2);
	u32 vectors = GENMASK((1U << FIELD_GET(PCI_MSI_FLAGS_QMASK, flags)) - 1, 0);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	if (wide)
		config_own(config, config->msi + PCI_MSI_ADDRESS_HI, 4, 0xffffffff, 0);
	config_own(config, config->msi + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2, 0xffff, 0);
	if (!(flags & PCI_MSI_FLAGS_MASKBIT))
		return;
	config_own(config, config->msi + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 4,
		   vectors, ~vectors);
	config_own(config, config->msi + (wide ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32), 4,
		   0, 0xffffffff);
}

/* What the kernel must act on is as the kernel needs it, whatever the masks say. */
static void config_take_over(struct barkeep_device *dev)
{
	struct barkeep_config_space *config = &dev->config;
	unsigned int n, base;
	u32 status;

	for (n = 0; n < BARKEEP_CONFIG_SIZE; n++)
		config->write_mask[n] &= ~config->clear_mask[n];
	for (n = 0; n < BARKEEP_BARS; n++)
		config_own(config, PCI_BASE_ADDRESS_0 + 4 * n, 4, 0, 0xffffffff);
	for (n = 0; n < BARKEEP_BARS; n++) {
		if (dev->bars[n].bytes)
			config_own_bar(config, &dev->bars[n]);
	}
	for (n = 0; n < ARRAY_SIZE(config_registers); n++) {
		const struct config_register *row = &config_registers[n];

		if (config_has(config, row->base, &base))
			config_own(config, base + row->offset, row->width, row->host, row->fixed);
	}
	for_each_set_bit(n, config->headers, BARKEEP_CONFIG_SIZE / 4)
		config_own(config, 4 * n, config_header_size(4 * n), 0, 0xffffffff);
	if (config->msi)
		config_own_msi(config);

	status = barkeep_config_load(config, PCI_STATUS, 2);
	status &= ~(PCI_STATUS_INTERRUPT | PCI_STATUS_CAP_LIST);
	if (config->image[PCI_CAPABILITY_LIST])
		status |= PCI_STATUS_CAP_LIST;
	barkeep_config_store(config, PCI_STATUS, 2, status);
	if (config->pcie)
		config->image[config->pcie + PCI_EXP_DEVCTL + 1] &= ~(PCI_EXP_DEVCTL_BCR_FLR >> 8);
	if (config->msi)
		barkeep_irq_show_pending(dev);
	memcpy(config->initial, config->image, sizeof(config->initial));
}

static int config_copy(void *to, u64 from, size_t bytes)
{
	return copy_from_user(to, u64_to_user_ptr(from), bytes) ? -EFAULT : 0;
}

int barkeep_config_init(struct barkeep_device *dev, const struct barkeep_plug *plug)
{
	struct barkeep_config_space *config = &dev->config;
	int ret;

	/* A plug that failed may have been here before. */
	memset(config, 0, sizeof(*config));
	raw_spin_lock_init(&config->lock);
	ret = config_copy(config->image, plug->config, BARKEEP_CONFIG_SIZE) ?:
	      config_copy(config->write_mask, plug->write_mask, BARKEEP_CONFIG_SIZE) ?:
	      config_copy(config->clear_mask, plug->clear_mask, BARKEEP_CONFIG_SIZE) ?:
	      config_copy(config->notify, plug->notify, sizeof(config->notify)) ?:
	      config_check(config);
	if (!ret)
		config_take_over(dev);
	return ret;
}

/* Whether the model's @bytes differ from what is there, from @first to before @end. */
static bool config_differs(struct barkeep_config_space *config, const struct barkeep_config *arg,
			   const u8 *bytes, unsigned int first, unsigned int end)
{
	first = max(first, arg->offset);
	end = min(end, arg->offset + arg->length);
	return first < end &&
	       memcmp(&config->image[first], &bytes[first - arg->offset], end - first);
}

/* Whether they do in what is not the model's. */
bool barkeep_config_trespasses(struct barkeep_config_space *config,
			       const struct barkeep_config *arg, const u8 *bytes)
{
	unsigned int n, base, size, first, end;

	for (n = 0; n < ARRAY_SIZE(config_host_owned); n++) {
		const struct config_range *row = &config_host_owned[n];

		if (!config_has(config, row->base, &base))
			continue;
		size = row->base == BASE_HEADER ? PCI_STD_HEADER_SIZEOF :
						  config_capability_size(config, base);
		first = base + row->offset;
		end = row->length ? first + row->length : base + size;
		/* Version 1 of the PCI Express capability is shorter. */
		if (end > base + size)
			continue;
		if (config_differs(config, arg, bytes, first, end))
			return true;
	}
	for_each_set_bit(n, config->headers, BARKEEP_CONFIG_SIZE / 4) {
		if (config_differs(config, arg, bytes, 4 * n, 4 * n + config_header_size(4 * n)))
			return true;
	}
	return false;
}
