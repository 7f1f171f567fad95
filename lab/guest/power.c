#define _GNU_SOURCE
#include "witness.h"

#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

enum { DEVICES_MAX = 16 };

static struct pollfd devices[DEVICES_MAX];
static nfds_t device_count;

// Nothing but the writer holds state, so a clean end is a flushed record.
static void end(int how)
{
    writer_stop();
    sync();
    reboot(how);
}

void power_off(void)
{
    end(RB_POWER_OFF);
}

void power_reboot(void)
{
    end(RB_AUTOBOOT);
}

static void *watch(void *unused)
{
    while (poll(devices, device_count, -1) >= 0) {
        for (nfds_t i = 0; i < device_count; i++) {
            struct input_event event;
            if (devices[i].revents == 0)
                continue;
            if (read(devices[i].fd, &event, sizeof event) != sizeof event)
                devices[i].fd = -1; // poll passes over it
            else if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
                power_off();
        }
    }
    return unused;
}

void power_watch(void)
{
    pthread_t thread;
    for (int i = 0; i < DEVICES_MAX; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/input/event%d", i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            devices[device_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    pthread_create(&thread, NULL, watch, NULL);
}
