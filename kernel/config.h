/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Config space past its masks. All of it under config.lock.
 */
#ifndef _BARKEEP_CONFIG_H
#define _BARKEEP_CONFIG_H

#include "barkeep.h"

/* config_image.c: whether the model's write would change what is not the model's */
bool barkeep_config_trespasses(struct barkeep_config_space *config,
			       const struct barkeep_config *arg, const u8 *bytes);

/* Registers of 1, 2 or 4 bytes. */
static inline u32 barkeep_config_load(const struct barkeep_config_space *config,
				      unsigned int offset, unsigned int width)
{
	u32 value = 0;

	memcpy(&value, &config->image[offset], width);
	return value;
}

static inline void barkeep_config_store(struct barkeep_config_space *config, unsigned int offset,
					unsigned int width, u32 value)
{
	memcpy(&config->image[offset], &value, width);
}

#endif
