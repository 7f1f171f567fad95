#include "witness.h"

#include <inttypes.h>
#include <stdio.h>

// Each tick costs an emulated CPU a tenth of a millisecond, so only beats that are asked for are timed to the millisecond.
#define TICK_US 10000
#define BEAT_TICK_US 1000
#define COUNT_EVERY_US 100000
#define ACK_EVERY_US 50000
#define CONSOLE_EVERY_US 5000000

static uint64_t boot, counter, longest_gap_us;
static unsigned beat_ms;

static void say_on_console(void)
{
    struct writer_status writer = writer_status();
    FILE *console = fopen("/dev/console", "we");
    if (!console)
        return;
    fprintf(console, "witness boot=%016" PRIx64 " counter=%" PRIu64 " acked=%" PRIu64 " bad=%" PRIu64 "\r\n", boot,
            pulse_counter(), writer.acked, slots_bad());
    fclose(console);
}

static bool is_due(uint64_t *next, uint64_t now, uint64_t interval)
{
    if (now < *next)
        return false;
    *next = now + interval;
    return true;
}

static void *console(void *unused)
{
    // A thread of its own: a serial line takes 90 us for each character and would show up as a gap.
    for (;;) {
        say_on_console();
        clock_sleep_us(CONSOLE_EVERY_US);
    }
    return unused;
}

static void *speak(void *unused)
{
    uint64_t next_ack = 0, next_beat = 0, last_acked = 0;
    for (;;) {
        unsigned interval = __atomic_load_n(&beat_ms, __ATOMIC_RELAXED);
        clock_sleep_us(interval > 0 ? BEAT_TICK_US : TICK_US);
        uint64_t now = clock_us(), acked = writer_status().acked;
        if (acked != last_acked && is_due(&next_ack, now, ACK_EVERY_US)) {
            last_acked = acked;
            port_say("ack %" PRIu64, acked);
        }
        if (interval > 0 && is_due(&next_beat, now, interval * 1000))
            port_say("beat %" PRIu64, pulse_counter());
    }
    return unused;
}

// The gap is in CLOCK_MONOTONIC, so in the guest's own time. Under TCG that clock stops while the guest is stopped, and
// kvm-clock is set back on resume: then the gap shows what the guest can notice, not how long it stood still. The host
// measures that with beats.
static void *beat(void *unused)
{
    uint64_t before = clock_us(), next_count = before;
    for (;;) {
        clock_sleep_us(TICK_US);
        uint64_t now = clock_us();
        if (now - before > __atomic_load_n(&longest_gap_us, __ATOMIC_RELAXED))
            __atomic_store_n(&longest_gap_us, now - before, __ATOMIC_RELAXED);
        before = now;
        if (is_due(&next_count, now, COUNT_EVERY_US))
            __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

void pulse_start(void)
{
    pthread_t thread;
    boot = random_u64();
    pthread_create(&thread, NULL, beat, NULL);
    pthread_create(&thread, NULL, speak, NULL);
    pthread_create(&thread, NULL, console, NULL);
}

uint64_t pulse_counter(void)
{
    return __atomic_load_n(&counter, __ATOMIC_RELAXED);
}

uint64_t pulse_take_longest_gap_us(void)
{
    return __atomic_exchange_n(&longest_gap_us, 0, __ATOMIC_RELAXED);
}

void pulse_set_beat_ms(unsigned interval_ms)
{
    __atomic_store_n(&beat_ms, interval_ms, __ATOMIC_RELAXED);
}

uint64_t boot_id(void)
{
    return boot;
}
