#define _GNU_SOURCE
#include "witness.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Non-volatile, and there while and after the machine boots (UEFI specification 2.10, section 8.2).
static const unsigned char attributes[4] = {7, 0, 0, 0};

static bool path_of(const char *name, char *path, size_t size)
{
    static const char *vendor = "5b2a67ac-3f6f-4f0a-9a7b-c0bb1ce00001";
    return *name && !strchr(name, '/')
        && (size_t)snprintf(path, size, "/sys/firmware/efi/efivars/%s-%s", name, vendor) < size;
}

// Linux marks variables immutable that it does not know, so that nobody removes them by accident.
static void make_mutable(const char *path)
{
    int flags = 0, file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ioctl(file, FS_IOC_SETFLAGS, &flags);
    close(file);
}

bool firmware_set(const char *name, const char *value)
{
    char path[256];
    unsigned char content[4 + FIRMWARE_VALUE_MAX];
    size_t length = strlen(value);
    if (length >= FIRMWARE_VALUE_MAX || !path_of(name, path, sizeof path))
        return false;
    memcpy(content, attributes, 4);
    memcpy(content + 4, value, length);
    make_mutable(path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool ok = write(file, content, 4 + length) == (ssize_t)(4 + length);
    close(file);
    return ok;
}

bool firmware_get(const char *name, char value[FIRMWARE_VALUE_MAX])
{
    char path[256];
    unsigned char content[4 + FIRMWARE_VALUE_MAX];
    if (!path_of(name, path, sizeof path))
        return false;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, content, sizeof content - 1);
    close(file);
    if (length < 4)
        return false;
    memcpy(value, content + 4, (size_t)length - 4);
    value[length - 4] = 0;
    return true;
}
