// SPDX-License-Identifier: GPL-2.0-only
/*
 * All accessors of linux/io.h that x86 has for memory, each as a function of one
 * signature. Widths are those of the accessors; stores store what stands in accessor_data.
 */
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/io-64-nonatomic-hi-lo.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "accessors.h"

/* Every byte another, the sign bits of all widths set. */
static const u64 accessor_data[8] = {
	0x8786858483828180, 0x8f8e8d8c8b8a8988, 0x9796959493929190, 0x9f9e9d9c9b9a9998,
	0xa7a6a5a4a3a2a1a0, 0xafaeadacabaaa9a8, 0xb7b6b5b4b3b2b1b0, 0xbfbebdbcbbbab9b8,
};

#define LOAD(name, type, offset) \
static unsigned int name##_##offset(void __iomem *at, void *answer) \
{ \
	type value = name(at + (offset)); \
	memcpy(answer, &value, sizeof(value)); \
	return sizeof(value); \
}

#define STORE(name, type, offset) \
static unsigned int name##_##offset(void __iomem *at, void *answer) \
{ \
	name((type)accessor_data[0], at + (offset)); \
	return 0; \
}

/* Repeated at one address, as from a FIFO. */
#define LOAD_REPEATED(name, type) \
static unsigned int name##_0(void __iomem *at, void *answer) \
{ \
	name(at, answer, 5); \
	return 5 * sizeof(type); \
}

#define STORE_REPEATED(name) \
static unsigned int name##_0(void __iomem *at, void *answer) \
{ \
	name(at, accessor_data, 5); \
	return 0; \
}

#define COPY_FROM(name, offset, count, bytes) \
static unsigned int name##_##offset##_##count(void __iomem *at, void *answer) \
{ \
	name(answer, at + (offset), count); \
	return bytes; \
}

#define COPY_TO(name, offset, count) \
static unsigned int name##_##offset##_##count(void __iomem *at, void *answer) \
{ \
	name(at + (offset), accessor_data, count); \
	return 0; \
}

#define FILL(offset, count) \
static unsigned int memset_io_##offset##_##count(void __iomem *at, void *answer) \
{ \
	memset_io(at + (offset), 0xa5, count); \
	return 0; \
}

LOAD(readb, u8, 8)
LOAD(readw, u16, 8)
LOAD(readl, u32, 8)
LOAD(readq, u64, 8)
LOAD(readb_relaxed, u8, 8)
LOAD(readw_relaxed, u16, 8)
LOAD(readl_relaxed, u32, 8)
LOAD(readq_relaxed, u64, 8)
LOAD(__raw_readb, u8, 8)
LOAD(__raw_readw, u16, 8)
LOAD(__raw_readl, u32, 8)
LOAD(__raw_readq, u64, 8)
LOAD(readw, u16, 3)
LOAD(readl, u32, 5)
LOAD(readq, u64, 7)
LOAD(ioread8, u8, 8)
LOAD(ioread16, u16, 8)
LOAD(ioread32, u32, 8)
LOAD(ioread64, u64, 8)
LOAD(ioread16be, u16, 8)
LOAD(ioread32be, u32, 8)
LOAD(ioread64be, u64, 8)
LOAD(ioread64_lo_hi, u64, 8)
LOAD(ioread64_hi_lo, u64, 8)
LOAD(ioread64be_lo_hi, u64, 8)
LOAD(ioread64be_hi_lo, u64, 8)
LOAD(lo_hi_readq, u64, 8)
LOAD(hi_lo_readq, u64, 8)
LOAD(lo_hi_readq_relaxed, u64, 8)
LOAD(hi_lo_readq_relaxed, u64, 8)
STORE(writeb, u8, 8)
STORE(writew, u16, 8)
STORE(writel, u32, 8)
STORE(writeq, u64, 8)
STORE(writeb_relaxed, u8, 8)
STORE(writew_relaxed, u16, 8)
STORE(writel_relaxed, u32, 8)
STORE(writeq_relaxed, u64, 8)
STORE(__raw_writeb, u8, 8)
STORE(__raw_writew, u16, 8)
STORE(__raw_writel, u32, 8)
STORE(__raw_writeq, u64, 8)
STORE(writew, u16, 3)
STORE(writel, u32, 5)
STORE(writeq, u64, 7)
STORE(iowrite8, u8, 8)
STORE(iowrite16, u16, 8)
STORE(iowrite32, u32, 8)
STORE(iowrite64, u64, 8)
STORE(iowrite16be, u16, 8)
STORE(iowrite32be, u32, 8)
STORE(iowrite64be, u64, 8)
STORE(iowrite64_lo_hi, u64, 8)
STORE(iowrite64_hi_lo, u64, 8)
STORE(iowrite64be_lo_hi, u64, 8)
STORE(iowrite64be_hi_lo, u64, 8)
STORE(lo_hi_writeq, u64, 8)
STORE(hi_lo_writeq, u64, 8)
STORE(lo_hi_writeq_relaxed, u64, 8)
STORE(hi_lo_writeq_relaxed, u64, 8)
LOAD_REPEATED(readsb, u8)
LOAD_REPEATED(readsw, u16)
LOAD_REPEATED(readsl, u32)
LOAD_REPEATED(readsq, u64)
LOAD_REPEATED(ioread8_rep, u8)
LOAD_REPEATED(ioread16_rep, u16)
LOAD_REPEATED(ioread32_rep, u32)
STORE_REPEATED(writesb)
STORE_REPEATED(writesw)
STORE_REPEATED(writesl)
STORE_REPEATED(writesq)
STORE_REPEATED(iowrite8_rep)
STORE_REPEATED(iowrite16_rep)
STORE_REPEATED(iowrite32_rep)
COPY_FROM(memcpy_fromio, 0, 64, 64)
COPY_FROM(memcpy_fromio, 1, 1, 1)
COPY_FROM(memcpy_fromio, 1, 2, 2)
COPY_FROM(memcpy_fromio, 2, 3, 3)
COPY_FROM(memcpy_fromio, 3, 13, 13)
COPY_FROM(memcpy_fromio, 1, 31, 31)
COPY_FROM(memcpy_fromio, 5, 59, 59)
COPY_FROM(__ioread32_copy, 4, 7, 28)
COPY_TO(memcpy_toio, 0, 64)
COPY_TO(memcpy_toio, 1, 1)
COPY_TO(memcpy_toio, 1, 2)
COPY_TO(memcpy_toio, 2, 3)
COPY_TO(memcpy_toio, 3, 13)
COPY_TO(memcpy_toio, 1, 31)
COPY_TO(memcpy_toio, 5, 59)
COPY_TO(__iowrite32_copy, 4, 7)
COPY_TO(__iowrite64_copy, 8, 7)
FILL(0, 64)
FILL(1, 1)
FILL(1, 2)
FILL(2, 3)
FILL(3, 13)
FILL(1, 31)
FILL(5, 59)

#define ACCESSOR(name)	{ #name, name }

const struct accessor accessors_io[] = {
	ACCESSOR(readb_8),
	ACCESSOR(readw_8),
	ACCESSOR(readl_8),
	ACCESSOR(readq_8),
	ACCESSOR(readb_relaxed_8),
	ACCESSOR(readw_relaxed_8),
	ACCESSOR(readl_relaxed_8),
	ACCESSOR(readq_relaxed_8),
	ACCESSOR(__raw_readb_8),
	ACCESSOR(__raw_readw_8),
	ACCESSOR(__raw_readl_8),
	ACCESSOR(__raw_readq_8),
	ACCESSOR(readw_3),
	ACCESSOR(readl_5),
	ACCESSOR(readq_7),
	ACCESSOR(ioread8_8),
	ACCESSOR(ioread16_8),
	ACCESSOR(ioread32_8),
	ACCESSOR(ioread64_8),
	ACCESSOR(ioread16be_8),
	ACCESSOR(ioread32be_8),
	ACCESSOR(ioread64be_8),
	ACCESSOR(ioread64_lo_hi_8),
	ACCESSOR(ioread64_hi_lo_8),
	ACCESSOR(ioread64be_lo_hi_8),
	ACCESSOR(ioread64be_hi_lo_8),
	ACCESSOR(lo_hi_readq_8),
	ACCESSOR(hi_lo_readq_8),
	ACCESSOR(lo_hi_readq_relaxed_8),
	ACCESSOR(hi_lo_readq_relaxed_8),
	ACCESSOR(writeb_8),
	ACCESSOR(writew_8),
	ACCESSOR(writel_8),
	ACCESSOR(writeq_8),
	ACCESSOR(writeb_relaxed_8),
	ACCESSOR(writew_relaxed_8),
	ACCESSOR(writel_relaxed_8),
	ACCESSOR(writeq_relaxed_8),
	ACCESSOR(__raw_writeb_8),
	ACCESSOR(__raw_writew_8),
	ACCESSOR(__raw_writel_8),
	ACCESSOR(__raw_writeq_8),
	ACCESSOR(writew_3),
	ACCESSOR(writel_5),
	ACCESSOR(writeq_7),
	ACCESSOR(iowrite8_8),
	ACCESSOR(iowrite16_8),
	ACCESSOR(iowrite32_8),
	ACCESSOR(iowrite64_8),
	ACCESSOR(iowrite16be_8),
	ACCESSOR(iowrite32be_8),
	ACCESSOR(iowrite64be_8),
	ACCESSOR(iowrite64_lo_hi_8),
	ACCESSOR(iowrite64_hi_lo_8),
	ACCESSOR(iowrite64be_lo_hi_8),
	ACCESSOR(iowrite64be_hi_lo_8),
	ACCESSOR(lo_hi_writeq_8),
	ACCESSOR(hi_lo_writeq_8),
	ACCESSOR(lo_hi_writeq_relaxed_8),
	ACCESSOR(hi_lo_writeq_relaxed_8),
	ACCESSOR(readsb_0),
	ACCESSOR(readsw_0),
	ACCESSOR(readsl_0),
	ACCESSOR(readsq_0),
	ACCESSOR(ioread8_rep_0),
	ACCESSOR(ioread16_rep_0),
	ACCESSOR(ioread32_rep_0),
	ACCESSOR(writesb_0),
	ACCESSOR(writesw_0),
	ACCESSOR(writesl_0),
	ACCESSOR(writesq_0),
	ACCESSOR(iowrite8_rep_0),
	ACCESSOR(iowrite16_rep_0),
	ACCESSOR(iowrite32_rep_0),
	ACCESSOR(memcpy_fromio_0_64),
	ACCESSOR(memcpy_fromio_1_1),
	ACCESSOR(memcpy_fromio_1_2),
	ACCESSOR(memcpy_fromio_2_3),
	ACCESSOR(memcpy_fromio_3_13),
	ACCESSOR(memcpy_fromio_1_31),
	ACCESSOR(memcpy_fromio_5_59),
	ACCESSOR(__ioread32_copy_4_7),
	ACCESSOR(memcpy_toio_0_64),
	ACCESSOR(memcpy_toio_1_1),
	ACCESSOR(memcpy_toio_1_2),
	ACCESSOR(memcpy_toio_2_3),
	ACCESSOR(memcpy_toio_3_13),
	ACCESSOR(memcpy_toio_1_31),
	ACCESSOR(memcpy_toio_5_59),
	ACCESSOR(__iowrite32_copy_4_7),
	ACCESSOR(__iowrite64_copy_8_7),
	ACCESSOR(memset_io_0_64),
	ACCESSOR(memset_io_1_1),
	ACCESSOR(memset_io_1_2),
	ACCESSOR(memset_io_2_3),
	ACCESSOR(memset_io_3_13),
	ACCESSOR(memset_io_1_31),
	ACCESSOR(memset_io_5_59),
};

const unsigned int accessors_io_count = ARRAY_SIZE(accessors_io);
