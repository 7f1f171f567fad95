#define _GNU_SOURCE
#include "witness.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The first MiB is left alone, the slots begin at 2 MiB; behind them the disk is free for `fill`.
#define NOTES_AT ((off_t)1 << 20)
#define FREE_AT ((off_t)4 << 20)

#define CHUNK ((size_t)1 << 20)

static pthread_mutex_t found_lock = PTHREAD_MUTEX_INITIALIZER;
static struct disk *found_disks[DISKS_MAX];
static size_t found_count;

static bool open_disk(const char *name)
{
    char path[64];
    struct disk disk = {.lock = PTHREAD_MUTEX_INITIALIZER};
    snprintf(disk.name, sizeof disk.name, "%s", name);
    snprintf(path, sizeof path, "/dev/%s", disk.name);
    disk.fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (disk.fd < 0)
        return false;
    struct disk *kept = malloc(sizeof *kept);
    if (!kept || ioctl(disk.fd, BLKGETSIZE64, &disk.bytes) < 0 || disk.bytes < (uint64_t)FREE_AT ||
        posix_memalign(&disk.blocks, BLOCK, SLOTS * BLOCK) != 0) {
        free(kept);
        close(disk.fd);
        return false;
    }
    *kept = disk;
    found_disks[found_count++] = kept;
    return true;
}

// Asks again how large it is: a host may have resized it.
static bool is_open(const char *name)
{
    for (size_t i = 0; i < found_count; i++) {
        if (strcmp(found_disks[i]->name, name) == 0) {
            ioctl(found_disks[i]->fd, BLKGETSIZE64, &found_disks[i]->bytes);
            return true;
        }
    }
    return false;
}

static int is_disk(const struct dirent *entry)
{
    return strncmp(entry->d_name, "vd", 2) == 0 || strncmp(entry->d_name, "sd", 2) == 0;
}

static bool is_among(struct dirent *const *entries, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i]->d_name, name) == 0)
            return true;
    return false;
}

// A disk that was taken out. What knew it stays: another thread may be about to write to it, and is told that it cannot.
static void forget_gone(struct dirent *const *entries, int count)
{
    size_t kept = 0;
    for (size_t i = 0; i < found_count; i++) {
        if (is_among(entries, count, found_disks[i]->name)) {
            found_disks[kept++] = found_disks[i];
        } else {
            close(found_disks[i]->fd);
            found_disks[i]->fd = -1;
        }
    }
    found_count = kept;
}

size_t disks_find(struct disk **found)
{
    struct dirent **entries = NULL;
    pthread_mutex_lock(&found_lock);
    int count = scandir("/sys/block", &entries, is_disk, alphasort);
    forget_gone(entries, count);
    for (int i = 0; i < count; i++) {
        if (found_count < DISKS_MAX && !is_open(entries[i]->d_name))
            open_disk(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    memcpy(found, found_disks, found_count * sizeof *found);
    size_t result = found_count;
    pthread_mutex_unlock(&found_lock);
    return result;
}

struct disk *disk_named(const char *name)
{
    struct disk *found[DISKS_MAX];
    size_t count = disks_find(found);
    for (size_t i = 0; i < count; i++)
        if (strcmp(found[i]->name, name) == 0)
            return found[i];
    return NULL;
}

bool disk_read_blocks(struct disk *disk, off_t offset, size_t count)
{
    return pread(disk->fd, disk->blocks, count * BLOCK, offset) == (ssize_t)(count * BLOCK);
}

bool disk_write_block(struct disk *disk, off_t offset)
{
    return pwrite(disk->fd, disk->blocks, BLOCK, offset) == BLOCK && fdatasync(disk->fd) == 0;
}

static bool is_range(const struct disk *disk, uint64_t offset, uint64_t bytes)
{
    return offset % BLOCK == 0 && bytes % BLOCK == 0 && offset <= disk->bytes && bytes <= disk->bytes - offset;
}

bool disk_checksum(struct disk *disk, uint64_t offset, uint64_t bytes, uint64_t *crc)
{
    void *chunk;
    if (!is_range(disk, offset, bytes) || posix_memalign(&chunk, BLOCK, CHUNK) != 0)
        return false;
    bool ok = true;
    *crc = 0;
    while (ok && bytes > 0) {
        size_t step = bytes < CHUNK ? (size_t)bytes : CHUNK;
        ok = pread(disk->fd, chunk, step, (off_t)offset) == (ssize_t)step;
        *crc = ok ? crc64(*crc, chunk, step) : 0;
        offset += step;
        bytes -= step;
    }
    free(chunk);
    return ok;
}

bool disk_fill(struct disk *disk, uint64_t offset, uint64_t bytes, uint64_t seed)
{
    uint64_t *chunk;
    if (offset < (uint64_t)FREE_AT || !is_range(disk, offset, bytes) ||
        posix_memalign((void **)&chunk, BLOCK, CHUNK) != 0)
        return false;
    bool ok = true;
    while (ok && bytes > 0) {
        size_t step = bytes < CHUNK ? (size_t)bytes : CHUNK;
        for (size_t i = 0; i < step / 8; i++)
            chunk[i] = (seed + offset / 8 + i) * 0x9e3779b97f4a7c15;
        ok = pwrite(disk->fd, chunk, step, (off_t)offset) == (ssize_t)step;
        offset += step;
        bytes -= step;
    }
    free(chunk);
    return ok && fdatasync(disk->fd) == 0;
}

bool disk_put_note(struct disk *disk, unsigned index, const char *text)
{
    if (index >= NOTES || strlen(text) >= BLOCK)
        return false;
    pthread_mutex_lock(&disk->lock);
    memset(disk->blocks, 0, BLOCK);
    memcpy(disk->blocks, text, strlen(text));
    bool ok = disk_write_block(disk, NOTES_AT + (off_t)index * BLOCK);
    pthread_mutex_unlock(&disk->lock);
    return ok;
}

bool disk_read_note(struct disk *disk, unsigned index, char text[BLOCK])
{
    if (index >= NOTES)
        return false;
    pthread_mutex_lock(&disk->lock);
    bool ok = disk_read_blocks(disk, NOTES_AT + (off_t)index * BLOCK, 1);
    memcpy(text, disk->blocks, BLOCK);
    text[BLOCK - 1] = 0;
    pthread_mutex_unlock(&disk->lock);
    return ok;
}
