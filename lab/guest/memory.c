#define _GNU_SOURCE
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TICK_US 10000
#define WORDS (BLOCK / 8)

// The generations are kept apart from the pages: a memory image that mixes two moments betrays itself.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t (*pages)[WORDS];
static uint32_t *generations;
static uint64_t page_count, next_page;
static uint64_t pages_per_second;
static uint64_t dirtied;
static bool thread_started;

static uint64_t pattern(uint64_t page, uint64_t generation)
{
    return (page << 32 | generation) * 0x9e3779b97f4a7c15;
}

static void dirty_next(void)
{
    uint64_t page = next_page++ % page_count;
    uint64_t word = pattern(page, ++generations[page]);
    for (size_t i = 0; i < WORDS; i++)
        pages[page][i] = word + i;
    dirtied++;
}

static void *dirty_pages(void *unused)
{
    uint64_t before = clock_us(), owed = 0;
    for (;;) {
        clock_sleep_us(TICK_US);
        uint64_t now = clock_us();
        pthread_mutex_lock(&lock);
        owed += (now - before) * pages_per_second;
        // A guest that falls behind, or was stopped, does not catch up in one burst.
        if (owed > pages_per_second * TICK_US * 10)
            owed = pages_per_second * TICK_US * 10;
        for (; owed >= 1000000 && page_count > 0; owed -= 1000000)
            dirty_next();
        pthread_mutex_unlock(&lock);
        before = now;
    }
    return unused;
}

static bool resize(uint64_t count)
{
    if (pages)
        munmap(pages, page_count * BLOCK);
    free(generations);
    pages = NULL;
    page_count = 0;
    generations = calloc(count, sizeof *generations);
    void *area = mmap(NULL, count * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!generations || area == MAP_FAILED)
        return false;
    pages = area;
    page_count = count;
    next_page = 0;
    for (uint64_t i = 0; i < count; i++)
        dirty_next();
    return true;
}

// Overcommitting would end in the kernel killing the agent instead of an answer.
static bool fits(uint64_t bytes)
{
    unsigned long long available_kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &available_kib) == 1)
            break;
    if (file)
        fclose(file);
    return bytes < (available_kib << 10) * 9 / 10 + page_count * BLOCK;
}

bool memory_dirty(uint64_t bytes_per_second, uint64_t working_set)
{
    uint64_t count = working_set / BLOCK;
    pthread_t thread;
    pthread_mutex_lock(&lock);
    bool ok = count == page_count || count == 0 || (fits(working_set) && resize(count));
    pages_per_second = ok ? bytes_per_second / BLOCK : 0;
    if (ok && !thread_started)
        ok = thread_started = pthread_create(&thread, NULL, dirty_pages, NULL) == 0;
    pthread_mutex_unlock(&lock);
    return ok;
}

struct memory_status memory_verify(void)
{
    pthread_mutex_lock(&lock);
    struct memory_status result = {.pages = page_count, .dirtied = dirtied};
    for (uint64_t page = 0; page < page_count; page++) {
        uint64_t word = pattern(page, generations[page]);
        bool same = true;
        for (size_t i = 0; i < WORDS; i++)
            same &= pages[page][i] == word + i;
        result.bad += !same;
        result.crc = crc64(result.crc, pages[page], sizeof pages[page]);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

uint64_t memory_dirtied(void)
{
    pthread_mutex_lock(&lock);
    uint64_t result = dirtied;
    pthread_mutex_unlock(&lock);
    return result;
}

static struct {
    char name[64], value[512];
} values[64];

bool values_set(const char *name, const char *value)
{
    if (!*name || strlen(name) >= sizeof values[0].name || strlen(value) >= sizeof values[0].value)
        return false;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (values[i].name[0] && strcmp(values[i].name, name) != 0)
            continue;
        strcpy(values[i].name, name);
        strcpy(values[i].value, value);
        return true;
    }
    return false;
}

const char *values_get(const char *name)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (*name && strcmp(values[i].name, name) == 0)
            return values[i].value;
    return NULL;
}
