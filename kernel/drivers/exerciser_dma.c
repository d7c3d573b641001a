// SPDX-License-Identifier: GPL-2.0-only
/* Commands for memory that the device may access. */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "exerciser.h"

#define SCATTERED_MAX	8

struct exerciser_buffer {
	struct list_head list;
	dma_addr_t address;
	size_t bytes;
	u8 *memory;
	bool coherent;
	bool scattered;
	enum dma_data_direction direction;
};

static struct exerciser_buffer *exerciser_find(struct exerciser *exerciser, u64 address)
{
	struct exerciser_buffer *buffer;

	list_for_each_entry(buffer, &exerciser->buffers, list) {
		if (buffer->address == address)
			return buffer;
	}
	return NULL;
}

static void exerciser_free(struct exerciser *exerciser, struct exerciser_buffer *buffer)
{
	struct device *device = &exerciser->pdev->dev;

	if (buffer->coherent) {
		dma_free_coherent(device, buffer->bytes, buffer->memory, buffer->address);
	} else {
		dma_unmap_single(device, buffer->address, buffer->bytes, buffer->direction);
		kfree(buffer->memory);
	}
	list_del(&buffer->list);
	kfree(buffer);
}

static int exerciser_keep(struct exerciser *exerciser, struct exerciser_buffer buffer,
			  char *answer)
{
	struct exerciser_buffer *kept = kmemdup(&buffer, sizeof(buffer), GFP_KERNEL);

	if (!kept)
		return -ENOMEM;
	list_add(&kept->list, &exerciser->buffers);
	sprintf(answer, "%#llx", (u64)buffer.address);
	return 0;
}

/* What the DMA API and the allocators would take for a bug of the caller's. */
static bool exerciser_can_map(u64 direction, u64 bytes)
{
	return direction <= DMA_FROM_DEVICE && bytes && bytes <= KMALLOC_MAX_SIZE;
}

int exerciser_map(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_buffer buffer = {
		.direction = arguments[0],
		.bytes = arguments[1],
	};
	struct device *device = &exerciser->pdev->dev;
	int ret;

	if (!exerciser_can_map(arguments[0], arguments[1]))
		return -EINVAL;
	buffer.memory = kzalloc(buffer.bytes, GFP_KERNEL | __GFP_NOWARN);
	if (!buffer.memory)
		return -ENOMEM;
	buffer.address = dma_map_single(device, buffer.memory, buffer.bytes, buffer.direction);
	ret = dma_mapping_error(device, buffer.address);
	if (!ret) {
		ret = exerciser_keep(exerciser, buffer, answer);
		if (!ret)
			return 0;
		dma_unmap_single(device, buffer.address, buffer.bytes, buffer.direction);
	}
	kfree(buffer.memory);
	return ret;
}

int exerciser_alloc(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_buffer buffer = { .coherent = true, .bytes = arguments[0] };
	struct device *device = &exerciser->pdev->dev;
	int ret;

	if (!exerciser_can_map(DMA_BIDIRECTIONAL, arguments[0]))
		return -EINVAL;
	buffer.memory = dma_alloc_coherent(device, buffer.bytes, &buffer.address,
					   GFP_KERNEL | __GFP_NOWARN);
	if (!buffer.memory)
		return -ENOMEM;
	ret = exerciser_keep(exerciser, buffer, answer);
	if (ret)
		dma_free_coherent(device, buffer.bytes, buffer.memory, buffer.address);
	return ret;
}

int exerciser_unmap(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_buffer *buffer = exerciser_find(exerciser, arguments[0]);

	if (!buffer || buffer->scattered)
		return -ENOENT;
	exerciser_free(exerciser, buffer);
	return 0;
}

static void exerciser_free_scattered(struct exerciser *exerciser)
{
	struct scatterlist *entry;
	int n;

	for_each_sgtable_sg(&exerciser->scattered, entry, n) {
		if (sg_page(entry))
			kfree(sg_virt(entry));
	}
	sg_free_table(&exerciser->scattered);
}

static int exerciser_scatter_memory(struct exerciser *exerciser, const u64 *arguments)
{
	u64 count = arguments[1], bytes = arguments[2], last = arguments[3];
	struct scatterlist *entry;
	void *memory;
	int n;

	for_each_sgtable_sg(&exerciser->scattered, entry, n) {
		memory = kzalloc(bytes, GFP_KERNEL | __GFP_NOWARN);
		if (!memory)
			return -ENOMEM;
		sg_set_buf(entry, memory, n == count - 1 ? last : bytes);
	}
	exerciser->scattered_for = arguments[0];
	return dma_map_sgtable(&exerciser->pdev->dev, &exerciser->scattered,
			       exerciser->scattered_for, 0);
}

int exerciser_scatter(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u64 count = arguments[1], bytes = arguments[2], last = arguments[3];
	struct scatterlist *entry;
	int n, ret;

	if (!exerciser_can_map(arguments[0], bytes) || last > bytes || !count ||
	    count > SCATTERED_MAX || exerciser->scattered.sgl)
		return -EINVAL;
	ret = sg_alloc_table(&exerciser->scattered, count, GFP_KERNEL);
	if (ret)
		return ret;
	ret = exerciser_scatter_memory(exerciser, arguments);
	if (ret) {
		exerciser_free_scattered(exerciser);
		return ret;
	}
	for_each_sgtable_dma_sg(&exerciser->scattered, entry, n) {
		struct exerciser_buffer buffer = {
			.address = sg_dma_address(entry),
			.bytes = sg_dma_len(entry),
			.memory = sg_virt(entry),
			.scattered = true,
		};

		if (n)
			strcat(answer, " ");
		ret = exerciser_keep(exerciser, buffer, answer + strlen(answer));
		if (ret) {
			exerciser_gather(exerciser, NULL, NULL);
			return ret;
		}
	}
	return 0;
}

int exerciser_gather(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_buffer *buffer, *next;

	if (!exerciser->scattered.sgl)
		return -ENOENT;
	list_for_each_entry_safe(buffer, next, &exerciser->buffers, list) {
		if (!buffer->scattered)
			continue;
		list_del(&buffer->list);
		kfree(buffer);
	}
	dma_unmap_sgtable(&exerciser->pdev->dev, &exerciser->scattered,
			  exerciser->scattered_for, 0);
	exerciser_free_scattered(exerciser);
	return 0;
}

int exerciser_mask(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	if (!arguments[0] || arguments[0] > 64)
		return -EINVAL;
	return dma_set_mask_and_coherent(&exerciser->pdev->dev, DMA_BIT_MASK(arguments[0]));
}

static int exerciser_byte(struct exerciser *exerciser, const u64 *arguments, u8 **byte)
{
	struct exerciser_buffer *buffer = exerciser_find(exerciser, arguments[0]);

	if (!buffer)
		return -ENOENT;
	if (arguments[1] >= buffer->bytes)
		return -ERANGE;
	*byte = buffer->memory + arguments[1];
	return 0;
}

int exerciser_peek(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u8 *byte;
	int ret = exerciser_byte(exerciser, arguments, &byte);

	if (!ret)
		sprintf(answer, "%#x", READ_ONCE(*byte));
	return ret;
}

int exerciser_poke(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u8 *byte;
	int ret = exerciser_byte(exerciser, arguments, &byte);

	if (!ret)
		WRITE_ONCE(*byte, arguments[2]);
	return ret;
}

void exerciser_free_buffers(struct exerciser *exerciser)
{
	struct exerciser_buffer *buffer, *next;

	exerciser_gather(exerciser, NULL, NULL);
	list_for_each_entry_safe(buffer, next, &exerciser->buffers, list)
		exerciser_free(exerciser, buffer);
}
