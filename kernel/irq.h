/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the interrupts of a function and their ways to a CPU.
 */
#ifndef _BARKEEP_IRQ_H
#define _BARKEEP_IRQ_H

#include "barkeep.h"

/* irq.c: whether the line is to be heard. Under config.lock. */
bool barkeep_irq_line_active(struct barkeep_device *dev);

/* irq_vector.c: a vector's way to its CPU. Settling sleeps; sending is under config.lock. */
void barkeep_vector_init(struct barkeep_device *dev, struct barkeep_vector *vector);
void barkeep_vector_send(struct barkeep_vector *vector);
void barkeep_vector_send_later(struct barkeep_vector *vector);
void barkeep_vector_settle(struct barkeep_vector *vector);

#endif
