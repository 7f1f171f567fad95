#include "witness.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static struct writer_status status;
static bool wanted;
static uint64_t interval_us;
static struct disk *disks[DISKS_MAX];
static size_t disk_count;

static bool write_everywhere(uint64_t first, uint64_t sequence)
{
    for (size_t i = 0; i < disk_count; i++)
        if (!slots_record(disks[i], first, sequence))
            return false;
    return true;
}

static void *write_sequence(void *unused)
{
    uint64_t first = status.sequence + 1;
    while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE)) {
        uint64_t sequence = __atomic_add_fetch(&status.sequence, 1, __ATOMIC_RELEASE);
        if (!write_everywhere(first, sequence)) {
            __atomic_add_fetch(&status.errors, 1, __ATOMIC_RELAXED);
            break;
        }
        __atomic_store_n(&status.acked, sequence, __ATOMIC_RELEASE);
        if (interval_us > 0)
            clock_sleep_us(interval_us);
    }
    __atomic_store_n(&status.running, false, __ATOMIC_RELEASE);
    return unused;
}

// Continue behind whatever any disk holds, so that the highest sequence never goes back.
static bool find_sequence(void)
{
    struct scan scan;
    for (size_t i = 0; i < disk_count; i++) {
        if (!slots_scan(disks[i], &scan))
            return false;
        if (scan.highest > status.sequence)
            status.sequence = scan.highest;
    }
    return true;
}

static void stop_locked(void)
{
    if (!wanted)
        return;
    __atomic_store_n(&wanted, false, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
}

bool writer_start(uint64_t interval)
{
    pthread_mutex_lock(&lock);
    stop_locked();
    interval_us = interval;
    disk_count = disks_find(disks);
    bool ok = disk_count > 0 && find_sequence();
    if (ok) {
        wanted = true;
        status.running = true;
        ok = pthread_create(&thread, NULL, write_sequence, NULL) == 0;
        if (!ok)
            wanted = status.running = false;
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

void writer_stop(void)
{
    pthread_mutex_lock(&lock);
    stop_locked();
    pthread_mutex_unlock(&lock);
}

struct writer_status writer_status(void)
{
    return (struct writer_status){
        .running = __atomic_load_n(&status.running, __ATOMIC_ACQUIRE),
        .sequence = __atomic_load_n(&status.sequence, __ATOMIC_ACQUIRE),
        .acked = __atomic_load_n(&status.acked, __ATOMIC_ACQUIRE),
        .errors = __atomic_load_n(&status.errors, __ATOMIC_RELAXED),
    };
}
