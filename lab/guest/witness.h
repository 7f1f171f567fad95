// The witness: an agent inside a lab guest that knows what its disks and its RAM must hold, and says so to the host.
#ifndef WITNESS_H
#define WITNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// clock.c
uint64_t clock_ms(void);
uint64_t clock_us(void);
void clock_sleep_us(uint64_t us);
// What the clock of the system and that of the hardware say; 0 without hardware that has one.
uint64_t clock_wall_us(void);
uint64_t clock_rtc_s(void);
uint64_t random_u64(void);

// crc64.c: CRC-64/XZ, so that a host can compute the same.
uint64_t crc64(uint64_t crc, const void *data, size_t length);

// port.c: lines to and from the host. Nothing in here ever waits for the host to read.
bool port_open(const char *name);
void port_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Waits for at most timeout_ms; calls take for each complete line.
void port_pump(int timeout_ms, void (*take)(char *line));

// disk.c: the disks, blocks and ranges on them, notes.
enum {
    BLOCK = 4096,
    SLOTS = 256,
    NOTES = 64,
    DISKS_MAX = 8,
};
struct disk {
    char name[32];
    int fd;
    uint64_t bytes;
    pthread_mutex_t lock; // covers a block together with what RAM remembers of it
    bool adopted;
    uint64_t expected[SLOTS]; // crc of each slot's block as RAM remembers it
    void *blocks;             // room for all slots, aligned for O_DIRECT
};
// All usable disks in order of name; disks plugged in later appear on the next call, those taken out are gone.
size_t disks_find(struct disk **found);
struct disk *disk_named(const char *name);
// Into and from disk->blocks; the caller holds the lock. A write is flushed.
bool disk_read_blocks(struct disk *disk, off_t offset, size_t count);
bool disk_write_block(struct disk *disk, off_t offset);
bool disk_checksum(struct disk *disk, uint64_t offset, uint64_t bytes, uint64_t *crc);
bool disk_fill(struct disk *disk, uint64_t offset, uint64_t bytes, uint64_t seed);
bool disk_put_note(struct disk *disk, unsigned index, const char *text);
bool disk_read_note(struct disk *disk, unsigned index, char text[BLOCK]);

// slots.c: sequence s lives in slot s % SLOTS of every disk.
struct scan {
    uint64_t highest, sequence[SLOTS];
    int valid, missing, torn;
};
// Checks the slot of this sequence against RAM, rewrites it and flushes. False on an I/O error.
bool slots_record(struct disk *disk, uint64_t first, uint64_t sequence);
// Compares every slot with RAM. Returns the number of mismatches, -1 on an I/O error.
int slots_verify(struct disk *disk);
// Mismatches that slots_record has met since boot.
uint64_t slots_bad(void);
// Reads what the disk holds, whatever RAM says: for the time after a loss of power.
bool slots_scan(struct disk *disk, struct scan *scan);

// writer.c: the thread that writes the sequence to all disks.
struct writer_status {
    bool running;
    uint64_t sequence, acked, errors;
};
bool writer_start(uint64_t interval_us);
// Returns after the record under way has been flushed.
void writer_stop(void);
struct writer_status writer_status(void);

// memory.c: RAM whose content can be checked, and named values.
bool memory_dirty(uint64_t bytes_per_second, uint64_t working_set);
struct memory_status {
    uint64_t pages, dirtied, bad, crc;
};
// Checks every page against the generation that it must have.
struct memory_status memory_verify(void);
uint64_t memory_dirtied(void);
bool values_set(const char *name, const char *value);
const char *values_get(const char *name);

// firmware.c: variables that UEFI firmware keeps. False without such firmware.
#define FIRMWARE_VALUE_MAX 256
bool firmware_set(const char *name, const char *value);
bool firmware_get(const char *name, char value[FIRMWARE_VALUE_MAX]);

// tpm.c: what a TPM 2.0 keeps, and one of its registers, which a boot clears. False without a TPM.
#define TPM_VALUE_MAX 64
bool tpm_put(const char *value);
bool tpm_read(char value[TPM_VALUE_MAX]);
bool tpm_measure(const char *text);
bool tpm_measured(uint64_t *register_crc);

// card.c: whether the gateway behind an Intel network card answers.
bool card_answers(bool *there);

// pulse.c: heartbeat gap, counter, acknowledgements and beats.
void pulse_start(void);
uint64_t pulse_counter(void);
uint64_t pulse_take_longest_gap_us(void);
void pulse_set_beat_ms(unsigned interval_ms);
uint64_t boot_id(void);

// power.c: ACPI power button.
void power_watch(void);
void power_off(void);
void power_reboot(void);

// requests.c
void request_take(char *line);

#endif
