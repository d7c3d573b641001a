/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver mapped, and how bytes get there.
 */
#ifndef _BARKEEP_DMA_H
#define _BARKEEP_DMA_H

#include "barkeep.h"

/**
 * struct barkeep_dma_mapping - dma.c: what one call of the DMA API mapped
 * @range: bus addresses, to the byte
 * @physical: where it begins in memory, contiguous
 * @iova: the addresses' allocation, NULL if they are physical
 * @direction: as the driver has it
 * @coherent: allocated together with the mapping
 */
struct barkeep_dma_mapping {
	struct interval_tree_node range;
	phys_addr_t physical;
	struct iova *iova;
	enum dma_data_direction direction;
	bool coherent;
};

/* dma_move.c: how bytes are moved */
int barkeep_dma_store(void *memory, const void *line, unsigned int bytes);
int barkeep_dma_load(void *line, const void *memory, unsigned int bytes);
unsigned long barkeep_dma_bulk(void *memory, void __user *user, unsigned long bytes, bool write);

#endif
