#define _GNU_SOURCE
#include "witness.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// An Intel 82540EM ("e1000"), for which this kernel has no driver: as much of one as asks the gateway for its address and hears the
// answer. Its rings are in RAM and how far they are is in the card, so that a snapshot whose halves are of different moments is noticed.
enum {
    CTRL = 0x0000, CTRL_LINK_UP = 1 << 6,
    RCTL = 0x0100, RCTL_ENABLE = 1 << 1, RCTL_BROADCAST = 1 << 15,
    TCTL = 0x0400, TCTL_ENABLE = 1 << 1, TCTL_PAD = 1 << 3,
    RX_RING = 0x2800, TX_RING = 0x3800, RING_LENGTH = 8, RING_HEAD = 0x10, RING_TAIL = 0x18,
    ADDRESS_LOW = 0x5400, ADDRESS_HIGH = 0x5404,
    SEND_WHOLE = 1 << 0 | 1 << 1 | 1 << 3, DONE = 1,
    REGISTERS = 128 * 1024,
    RING = 8, // the least that the card takes
    FRAME = 2048,
    ANSWER_MS = 20000,
};

struct descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t offset_or_low, command_or_high, status, more;
    uint16_t special;
};

struct arp {
    uint8_t to[6], from[6];
    uint16_t type, hardware, protocol;
    uint8_t hardware_length, protocol_length;
    uint16_t operation;
    uint8_t sender[6], sender_ip[4], target[6], target_ip[4];
} __attribute__((packed));

static volatile uint32_t *registers;
static struct {
    volatile struct descriptor sent[RING], heard[RING];
    struct arp frame;
} *rings;
static uint8_t *frames[RING];
static unsigned next_sent, next_heard;

static void set(unsigned where, uint32_t value) { registers[where / 4] = value; }

// A page that stays where it is; the card knows RAM by its physical address.
static void *new_page(void)
{
    void *page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

static uint64_t physical(const volatile void *place)
{
    uint64_t entry = 0, address = (uint64_t)(uintptr_t)place;
    int pages = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(pages, &entry, sizeof entry, (off_t)(address / BLOCK * sizeof entry));
    close(pages);
    return n == sizeof entry ? (entry & ((1ULL << 55) - 1)) * BLOCK + address % BLOCK : 0;
}

static bool has_id(const char *device)
{
    uint16_t id[2] = {0};
    char path[300];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/config", device);
    int config = open(path, O_RDWR | O_CLOEXEC);
    bool found = pread(config, id, sizeof id, 0) == sizeof id && id[0] == 0x8086 && id[1] == 0x100e;
    const uint16_t memory_and_master = 1 << 1 | 1 << 2;
    if (found && pwrite(config, &memory_and_master, sizeof memory_and_master, 4) != sizeof memory_and_master)
        found = false;
    close(config);
    return found;
}

static bool map_registers(void)
{
    DIR *devices = opendir("/sys/bus/pci/devices");
    if (!devices)
        return false;
    for (struct dirent *entry; !registers && (entry = readdir(devices));) {
        char path[300];
        if (entry->d_name[0] == '.' || !has_id(entry->d_name))
            continue;
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/resource0", entry->d_name);
        int resource = open(path, O_RDWR | O_CLOEXEC);
        void *mapped = mmap(NULL, REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED, resource, 0);
        registers = mapped == MAP_FAILED ? NULL : mapped;
        close(resource);
    }
    closedir(devices);
    return registers;
}

static void set_ring(unsigned base, volatile struct descriptor *ring, unsigned tail)
{
    uint64_t address = physical(ring);
    set(base, (uint32_t)address);
    set(base + 4, (uint32_t)(address >> 32));
    set(base + RING_LENGTH, RING * sizeof *ring);
    set(base + RING_HEAD, 0);
    set(base + RING_TAIL, tail);
}

static bool start(void)
{
    if (rings)
        return true;
    uint8_t *page = NULL;
    for (unsigned i = 0; i < RING; i++) {
        if (i % (BLOCK / FRAME) == 0 && !(page = new_page()))
            return false;
        frames[i] = page + i % (BLOCK / FRAME) * FRAME;
    }
    if (!map_registers() || !(rings = new_page()))
        return false;
    for (unsigned i = 0; i < RING; i++)
        rings->heard[i].address = physical(frames[i]);
    set(CTRL, registers[CTRL / 4] | CTRL_LINK_UP);
    set_ring(RX_RING, rings->heard, RING - 1);
    set_ring(TX_RING, rings->sent, 0);
    set(RCTL, RCTL_ENABLE | RCTL_BROADCAST);
    set(TCTL, TCTL_ENABLE | TCTL_PAD);
    return true;
}

static void ask(uint8_t mark)
{
    uint32_t address[2] = {registers[ADDRESS_LOW / 4], registers[ADDRESS_HIGH / 4]};
    struct arp *frame = &rings->frame;
    *frame = (struct arp){
        .to = {255, 255, 255, 255, 255, 255}, .type = htobe16(0x0806), .hardware = htobe16(1), .protocol = htobe16(0x0800),
        .hardware_length = 6, .protocol_length = 4, .operation = htobe16(1),
        .sender_ip = {10, 0, 2, mark}, .target_ip = {10, 0, 2, 2},
    };
    memcpy(frame->from, address, 6);
    memcpy(frame->sender, address, 6);
    rings->sent[next_sent] = (struct descriptor){
        .address = physical(frame), .length = sizeof *frame, .command_or_high = SEND_WHOLE};
    next_sent = (next_sent + 1) % RING;
    __sync_synchronize();
    set(TX_RING + RING_TAIL, next_sent);
}

// Takes what has come; true if the answer to this question was among it.
static bool hear(uint8_t mark)
{
    bool answered = false;
    while (rings->heard[next_heard].status & DONE) {
        struct arp frame;
        memcpy(&frame, frames[next_heard], sizeof frame);
        answered |= be16toh(frame.type) == 0x0806 && be16toh(frame.operation) == 2 && frame.target_ip[3] == mark;
        rings->heard[next_heard].status = 0;
        __sync_synchronize();
        set(RX_RING + RING_TAIL, next_heard);
        next_heard = (next_heard + 1) % RING;
    }
    return answered;
}

bool card_answers(bool *there)
{
    static uint8_t mark;
    *there = start();
    if (!*there)
        return false;
    mark = 16 + (mark + 1) % 200;
    ask(mark);
    for (uint64_t begin = clock_ms(); clock_ms() - begin < ANSWER_MS; clock_sleep_us(1000)) {
        if (hear(mark))
            return true;
    }
    return false;
}
