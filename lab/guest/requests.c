#define _GNU_SOURCE
#include "witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define U PRIu64

struct request {
    const char *id;
    char *rest; // what is left of the line
};

static char *next_word(struct request *request)
{
    char *word = request->rest + strspn(request->rest, " ");
    request->rest = word + strcspn(word, " ");
    if (*request->rest)
        *request->rest++ = 0;
    return word;
}

static uint64_t next_number(struct request *request)
{
    return strtoull(next_word(request), NULL, 10);
}

static void refuse(const struct request *request, const char *why)
{
    port_say("%s error %s", request->id, why);
}

static void agree(const struct request *request, bool done, const char *otherwise)
{
    if (done)
        port_say("%s ok", request->id);
    else
        refuse(request, otherwise);
}

static struct disk *next_disk(struct request *request)
{
    struct disk *disk = disk_named(next_word(request));
    if (!disk)
        refuse(request, "no such disk, or it is read-only or smaller than 4 MiB");
    return disk;
}

static void status(struct request *request)
{
    struct writer_status writer = writer_status();
    struct disk *disks[DISKS_MAX];
    size_t count = disks_find(disks);
    port_say("%s ok boot=%016" PRIx64 " counter=%" U " running=%d sequence=%" U " acked=%" U " bad=%" U " errors=%" U
             " dirtied=%" U " disks=%zu",
             request->id, boot_id(), pulse_counter(), writer.running, writer.sequence, writer.acked, slots_bad(),
             writer.errors, memory_dirtied() * BLOCK, count);
}

static void list_disks(struct request *request)
{
    struct disk *disks[DISKS_MAX];
    char text[512] = "";
    size_t count = disks_find(disks);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s=%" U, disks[i]->name, disks[i]->bytes);
    port_say("%s ok%s", request->id, text);
}

static void start(struct request *request)
{
    agree(request, writer_start(next_number(request)), "no disk of at least 4 MiB can be read and written");
}

static void stop(struct request *request)
{
    writer_stop();
    port_say("%s ok acked=%" U, request->id, writer_status().acked);
}

static void verify(struct request *request)
{
    struct disk *disks[DISKS_MAX];
    size_t count = disks_find(disks);
    int total = 0;
    for (size_t i = 0; i < count; i++) {
        int bad = slots_verify(disks[i]);
        if (bad < 0) {
            refuse(request, "a disk cannot be read");
            return;
        }
        total += bad;
    }
    port_say("%s ok bad=%d checked=%zu", request->id, total, count * SLOTS);
}

static void scan(struct request *request)
{
    struct scan found;
    struct disk *disk = next_disk(request);
    if (!disk)
        return;
    if (slots_scan(disk, &found))
        port_say("%s ok highest=%" U " valid=%d missing=%d torn=%d", request->id, found.highest, found.valid,
                 found.missing, found.torn);
    else
        refuse(request, "the disk cannot be read");
}

static void list_slots(struct request *request)
{
    struct scan found;
    struct disk *disk = next_disk(request);
    char text[SLOTS * 21 + 1] = "";
    if (!disk)
        return;
    if (!slots_scan(disk, &found)) {
        refuse(request, "the disk cannot be read");
        return;
    }
    for (size_t i = 0, length = 0; i < SLOTS; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, i ? ",%" U : "%" U, found.sequence[i]);
    port_say("%s ok slots=%s", request->id, text);
}

static void checksum(struct request *request)
{
    struct disk *disk = next_disk(request);
    uint64_t offset = next_number(request), bytes = next_number(request), crc;
    if (!disk)
        return;
    if (disk_checksum(disk, offset, bytes, &crc))
        port_say("%s ok crc64=%016" PRIx64, request->id, crc);
    else
        refuse(request, "the range is not on the disk, not in whole 4 KiB blocks, or cannot be read");
}

static void fill(struct request *request)
{
    struct disk *disk = next_disk(request);
    uint64_t offset = next_number(request), bytes = next_number(request), seed = next_number(request);
    if (disk)
        agree(request, disk_fill(disk, offset, bytes, seed),
              "the range is below 4 MiB, not on the disk, not in whole 4 KiB blocks, or cannot be written");
}

static void put(struct request *request)
{
    struct disk *disk = next_disk(request);
    unsigned note = (unsigned)next_number(request);
    if (disk)
        agree(request, disk_put_note(disk, note, request->rest), "notes are 0 to 63, up to 4095 bytes");
}

static void read_note(struct request *request)
{
    char text[BLOCK];
    struct disk *disk = next_disk(request);
    if (!disk)
        return;
    if (disk_read_note(disk, (unsigned)next_number(request), text))
        port_say("%s ok value=%s", request->id, text);
    else
        refuse(request, "notes are 0 to 63");
}

static void set(struct request *request)
{
    char *name = next_word(request);
    agree(request, values_set(name, request->rest), "64 values with names up to 63 and contents up to 511 bytes");
}

static void get(struct request *request)
{
    const char *value = values_get(next_word(request));
    if (value)
        port_say("%s ok value=%s", request->id, value);
    else
        port_say("%s ok", request->id);
}

static void set_variable(struct request *request)
{
    char *name = next_word(request);
    agree(request, firmware_set(name, request->rest), "the firmware is no UEFI, or does not take it");
}

static void get_variable(struct request *request)
{
    char value[FIRMWARE_VALUE_MAX];
    if (firmware_get(next_word(request), value))
        port_say("%s ok value=%s", request->id, value);
    else
        port_say("%s ok", request->id);
}

static void tpm_store(struct request *request)
{
    agree(request, tpm_put(request->rest), "there is no TPM 2.0, or it does not take it");
}

static void tpm_load(struct request *request)
{
    char value[TPM_VALUE_MAX];
    if (tpm_read(value))
        port_say("%s ok value=%s", request->id, value);
    else
        port_say("%s ok", request->id);
}

static void measure(struct request *request)
{
    uint64_t crc;
    if (*request->rest && !tpm_measure(next_word(request)))
        refuse(request, "there is no TPM 2.0, or it does not take it");
    else if (tpm_measured(&crc))
        port_say("%s ok crc64=%016" PRIx64, request->id, crc);
    else
        refuse(request, "there is no TPM 2.0");
}

static void card(struct request *request)
{
    bool there, answered = card_answers(&there);
    if (there)
        port_say("%s ok answered=%d", request->id, answered);
    else
        refuse(request, "there is no Intel 82540EM");
}

static void dirty(struct request *request)
{
    uint64_t rate = next_number(request), bytes = next_number(request);
    agree(request, memory_dirty(rate, bytes), "the working set does not fit into this guest's memory");
}

static void memory(struct request *request)
{
    struct memory_status found = memory_verify();
    port_say("%s ok pages=%" U " bad=%" U " dirtied=%" U " crc64=%016" PRIx64, request->id, found.pages, found.bad,
             found.dirtied * BLOCK, found.crc);
}

static void gap(struct request *request)
{
    port_say("%s ok longest_us=%" U, request->id, pulse_take_longest_gap_us());
}

static void clocks(struct request *request)
{
    port_say("%s ok wall_us=%" U " rtc_s=%" U, request->id, clock_wall_us(), clock_rtc_s());
}

static void beat(struct request *request)
{
    pulse_set_beat_ms((unsigned)next_number(request));
    port_say("%s ok", request->id);
}

static void turn_off(struct request *request)
{
    port_say("%s ok", request->id);
    power_off();
}

static void restart(struct request *request)
{
    port_say("%s ok", request->id);
    power_reboot();
}

static const struct {
    const char *verb;
    void (*answer)(struct request *);
} verbs[] = {
    {"status", status}, {"disks", list_disks},   {"start", start},   {"stop", stop},  {"verify", verify},
    {"scan", scan},     {"slots", list_slots},   {"checksum", checksum}, {"fill", fill},  {"put", put},
    {"read", read_note}, {"set", set},           {"get", get},       {"dirty", dirty}, {"memory", memory},
    {"setvar", set_variable}, {"getvar", get_variable},
    {"tpmput", tpm_store}, {"tpmread", tpm_load}, {"measure", measure},
    {"clocks", clocks}, {"card", card},
    {"gap", gap},       {"beat", beat},          {"poweroff", turn_off}, {"reboot", restart},
};

void request_take(char *line)
{
    struct request request = {.rest = line};
    request.id = next_word(&request);
    if (!*request.id) {
        // An empty line ends whatever half a line a host or a snapshot has left, on both sides.
        port_say("%s", "");
        return;
    }
    const char *verb = next_word(&request);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].verb, verb) == 0) {
            verbs[i].answer(&request);
            return;
        }
    }
    refuse(&request, "no such verb");
}
