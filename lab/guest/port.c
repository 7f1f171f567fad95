#define _GNU_SOURCE
#include "witness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int port = -1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char out[64 * 1024];
static size_t out_length;

static char line[8 * 1024];
static size_t line_length;
static bool line_too_long;

static bool has_name(const char *device, const char *name)
{
    char path[300], found[128] = "";
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", device);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(found, sizeof found, file))
        found[0] = 0;
    fclose(file);
    found[strcspn(found, "\n")] = 0;
    return strcmp(found, name) == 0;
}

bool port_open(const char *name)
{
    DIR *ports = opendir("/sys/class/virtio-ports");
    if (!ports)
        return false;
    for (struct dirent *entry; port < 0 && (entry = readdir(ports));) {
        char path[300];
        if (!has_name(entry->d_name, name))
            continue;
        snprintf(path, sizeof path, "/dev/%s", entry->d_name);
        port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    }
    closedir(ports);
    return port >= 0;
}

static void flush_locked(void)
{
    while (out_length > 0) {
        ssize_t n = write(port, out, out_length < 4096 ? out_length : 4096);
        if (n <= 0)
            return;
        out_length -= (size_t)n;
        memmove(out, out + n, out_length);
    }
}

void port_say(const char *format, ...)
{
    char text[16 * 1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (port < 0 || length < 0)
        return;
    if ((size_t)length > sizeof text - 2)
        length = sizeof text - 2;
    text[length++] = '\n';
    pthread_mutex_lock(&lock);
    // A host that does not read loses whole lines, never half of one, and never stops the guest.
    if (out_length + (size_t)length <= sizeof out) {
        memcpy(out + out_length, text, (size_t)length);
        out_length += (size_t)length;
    }
    flush_locked();
    pthread_mutex_unlock(&lock);
}

static void take_bytes(const char *bytes, size_t count, void (*take)(char *line))
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            line[line_length] = 0;
            if (!line_too_long)
                take(line);
            line_length = 0;
            line_too_long = false;
        } else if (line_length < sizeof line - 1) {
            line[line_length++] = bytes[i];
        } else {
            line_too_long = true;
        }
    }
}

// What was meant for the host that left is of no use to the next one.
static void forget_conversation(void)
{
    pthread_mutex_lock(&lock);
    out_length = 0;
    pthread_mutex_unlock(&lock);
    line_length = 0;
    line_too_long = false;
}

void port_pump(int timeout_ms, void (*take)(char *line))
{
    struct pollfd wait = {.fd = port, .events = POLLIN};
    pthread_mutex_lock(&lock);
    if (out_length > 0)
        wait.events |= POLLOUT;
    pthread_mutex_unlock(&lock);
    if (poll(&wait, 1, timeout_ms) < 0 && errno != EINTR)
        clock_sleep_us(20000);
    char bytes[4096];
    ssize_t n = wait.revents & POLLIN ? read(port, bytes, sizeof bytes) : -1;
    if (n > 0) {
        take_bytes(bytes, (size_t)n, take);
    } else if (wait.revents & POLLHUP) {
        // While no host is connected POLLHUP stays set, and POLLIN with nothing to read: without a pause this would spin.
        forget_conversation();
        clock_sleep_us(20000);
    }
    pthread_mutex_lock(&lock);
    flush_locked();
    pthread_mutex_unlock(&lock);
}
