// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas of user space that mmap() is making. When that calls the driver, the area's
 * operations are not final: kernfs puts its own in front, others set them last of all.
 * So the area is noted, and taken over before the system call returns to user space.
 * Nothing of ours is in its page table until then.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/task_work.h>
#include <linux/version.h>

#include "user_map.h"

/* Under barkeep_user_lock. */
static LIST_HEAD(user_noted);

static void note_write_lock(struct vm_area_struct *area)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	vma_start_write(area);
#endif
}

static bool note_is_of(const struct user_map *map, const struct vm_area_struct *area)
{
	return map->area == area && map->start == area->vm_start && map->file == area->vm_file &&
	       map->offset == area->vm_pgoff;
}

/* The area that was noted, if it is still there. It can be neither if mmap() failed. */
static bool note_settle_area(struct user_map *map)
{
	struct vm_area_struct *area = vma_lookup(map->mm, map->start);

	if (!area || !note_is_of(map, area) || !barkeep_user_is_raw(area) ||
	    barkeep_user_map_of(area))
		return false;
	note_write_lock(area);
	barkeep_user_take_over(map, area);
	return true;
}

/* Before the task that made the area returns to user space, or when it ends. */
static void note_settle(struct callback_head *work)
{
	struct user_map *map = container_of(work, struct user_map, settle);
	struct barkeep_device *dev = map->bar->dev;
	struct mm_struct *mm = map->mm;
	struct file *file = map->file;
	bool alive = mmget_not_zero(mm);
	bool settled = false;

	/* Without mmap_lock the area may be closed, and @map is gone. */
	barkeep_device_get(dev);
	if (alive)
		mmap_write_lock(mm);
	mutex_lock(&barkeep_user_lock);
	list_del(&map->node);
	if (alive)
		settled = note_settle_area(map);
	mutex_unlock(&barkeep_user_lock);
	if (alive) {
		mmap_write_unlock(mm);
		mmput(mm);
	}
	mmdrop(mm);
	fput(file);
	/* Nothing of ours is in its page table: see barkeep_user_insert(). */
	if (!settled)
		barkeep_user_map_free(map);
	barkeep_device_put(dev);
}

struct user_map *barkeep_user_noted(const struct vm_area_struct *area)
{
	struct user_map *map;

	list_for_each_entry(map, &user_noted, node) {
		if (note_is_of(map, area) && map->task == current)
			return map;
	}
	return NULL;
}

/* Whether mmap() is making @area still. */
bool barkeep_user_is_new(struct vm_area_struct *area)
{
	return vma_lookup(area->vm_mm, area->vm_start) != area;
}

int barkeep_user_note(struct user_map *map, struct vm_area_struct *area)
{
	int ret;

	map->area = area;
	map->start = area->vm_start;
	map->file = area->vm_file;
	map->offset = area->vm_pgoff;
	map->task = current;
	map->mm = area->vm_mm;
	init_task_work(&map->settle, note_settle);
	if (!map->file || area->vm_mm != current->mm || current->flags & PF_KTHREAD)
		return -ESRCH;
	ret = task_work_add(current, &map->settle, TWA_RESUME);
	if (ret)
		return ret;
	mmgrab(map->mm);
	get_file(map->file);
	list_add(&map->node, &user_noted);
	return 0;
}
