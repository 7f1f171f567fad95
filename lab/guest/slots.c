#define _GNU_SOURCE
#include "witness.h"

#include <string.h>

#define SLOTS_AT ((off_t)2 << 20)

static const char magic[8] = "WITNESS1";

struct record {
    char magic[8];
    uint64_t boot;
    uint64_t first; // sequence with which this run of the writer began
    uint64_t sequence;
    uint64_t body[BLOCK / 8 - 5];
    uint64_t crc; // of all that precedes it: tells a torn write from a whole one
};
_Static_assert(sizeof(struct record) == BLOCK, "a record fills its block");

static uint64_t bad_total;

static off_t slot_at(uint64_t slot)
{
    return SLOTS_AT + (off_t)slot * BLOCK;
}

static const struct record *record_in(const struct disk *disk, uint64_t slot)
{
    return (const struct record *)disk->blocks + slot;
}

// Nothing is known of what earlier boots left, so the first look after a boot is taken as the truth.
static bool adopt(struct disk *disk)
{
    if (disk->adopted)
        return true;
    if (!disk_read_blocks(disk, SLOTS_AT, SLOTS))
        return false;
    for (uint64_t slot = 0; slot < SLOTS; slot++)
        disk->expected[slot] = crc64(0, record_in(disk, slot), BLOCK);
    disk->adopted = true;
    return true;
}

static void build_record(struct record *record, uint64_t first, uint64_t sequence)
{
    memcpy(record->magic, magic, sizeof magic);
    record->boot = boot_id();
    record->first = first;
    record->sequence = sequence;
    for (size_t i = 0; i < sizeof record->body / 8; i++)
        record->body[i] = (sequence + i) * 0x9e3779b97f4a7c15;
    record->crc = crc64(0, record, offsetof(struct record, crc));
}

static bool record_locked(struct disk *disk, uint64_t first, uint64_t sequence)
{
    uint64_t slot = sequence % SLOTS;
    if (!adopt(disk) || !disk_read_blocks(disk, slot_at(slot), 1))
        return false;
    if (crc64(0, disk->blocks, BLOCK) != disk->expected[slot])
        __atomic_add_fetch(&bad_total, 1, __ATOMIC_RELAXED);
    build_record(disk->blocks, first, sequence);
    disk->expected[slot] = crc64(0, disk->blocks, BLOCK);
    return disk_write_block(disk, slot_at(slot));
}

bool slots_record(struct disk *disk, uint64_t first, uint64_t sequence)
{
    pthread_mutex_lock(&disk->lock);
    bool ok = record_locked(disk, first, sequence);
    pthread_mutex_unlock(&disk->lock);
    return ok;
}

static int verify_locked(struct disk *disk)
{
    int bad = 0;
    if (!adopt(disk) || !disk_read_blocks(disk, SLOTS_AT, SLOTS))
        return -1;
    for (uint64_t slot = 0; slot < SLOTS; slot++)
        bad += crc64(0, record_in(disk, slot), BLOCK) != disk->expected[slot];
    return bad;
}

int slots_verify(struct disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    int bad = verify_locked(disk);
    pthread_mutex_unlock(&disk->lock);
    return bad;
}

uint64_t slots_bad(void)
{
    return __atomic_load_n(&bad_total, __ATOMIC_RELAXED);
}

// A slot of this run that holds another sequence than it must is a flushed write that was lost.
static void count_missing(struct scan *scan, uint64_t first)
{
    if (scan->highest >= SLOTS && first < scan->highest - SLOTS + 1)
        first = scan->highest - SLOTS + 1;
    for (uint64_t sequence = first; scan->valid > 0 && sequence <= scan->highest; sequence++)
        scan->missing += scan->sequence[sequence % SLOTS] != sequence;
}

static bool scan_locked(struct disk *disk, struct scan *scan)
{
    uint64_t first = 0;
    *scan = (struct scan){0};
    if (!disk_read_blocks(disk, SLOTS_AT, SLOTS))
        return false;
    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        const struct record *record = record_in(disk, slot);
        if (memcmp(record->magic, magic, sizeof magic) != 0)
            continue;
        if (record->crc != crc64(0, record, offsetof(struct record, crc))) {
            scan->torn++;
            continue;
        }
        scan->valid++;
        scan->sequence[slot] = record->sequence;
        if (record->sequence > scan->highest) {
            scan->highest = record->sequence;
            first = record->first;
        }
    }
    count_missing(scan, first);
    return true;
}

bool slots_scan(struct disk *disk, struct scan *scan)
{
    pthread_mutex_lock(&disk->lock);
    bool ok = scan_locked(disk, scan);
    pthread_mutex_unlock(&disk->lock);
    return ok;
}
