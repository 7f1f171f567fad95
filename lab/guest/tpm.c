#define _GNU_SOURCE
#include "witness.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// TPM 2.0 commands, written byte by byte (TCG TPM 2.0 Library, part 3). All numbers are in network order.
enum {
    TAG_PLAIN = 0x8001,
    TAG_SESSIONS = 0x8002,
    CC_NV_DEFINE_SPACE = 0x12a,
    CC_NV_WRITE = 0x137,
    CC_NV_READ = 0x14e,
    CC_PCR_READ = 0x17e,
    CC_PCR_EXTEND = 0x182,
    RC_NV_DEFINED = 0x14c,
    ALG_SHA256 = 0x0b,
    DIGEST = 32,
    HEADER = 10,
    OWNER = 0x40000001,
    PASSWORD_SESSION = 0x40000009,
    INDEX = 0x01500001,
    // Owner and whoever knows its password (none) may read and write; a wrong guess locks nobody out.
    INDEX_ATTRIBUTES = 0x02060006,
    REGISTER = 15,
};

struct command {
    unsigned char bytes[1024];
    size_t length;
};

static void add16(struct command *command, uint16_t value)
{
    value = htobe16(value);
    memcpy(command->bytes + command->length, &value, 2);
    command->length += 2;
}

static void add32(struct command *command, uint32_t value)
{
    value = htobe32(value);
    memcpy(command->bytes + command->length, &value, 4);
    command->length += 4;
}

static void add_bytes(struct command *command, const void *bytes, size_t length)
{
    memcpy(command->bytes + command->length, bytes, length);
    command->length += length;
}

static struct command begin(uint16_t tag, uint32_t code)
{
    struct command command = {.length = 0};
    add16(&command, tag);
    add32(&command, 0); // the length, when it is known
    add32(&command, code);
    return command;
}

// An empty password, as the owner and the index have it.
static void add_password(struct command *command)
{
    add32(command, 9);
    add32(command, PASSWORD_SESSION);
    add_bytes(command, "\0\0\0\0", 5);
}

static uint32_t number_at(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
    return be32toh(value);
}

// Sends a command. Returns the response code, 0 for success, or -1 if there is no TPM or it does not answer.
static int64_t run(struct command *command, unsigned char answer[1024], size_t *length)
{
    uint32_t size = htobe32((uint32_t)command->length);
    memcpy(command->bytes + 2, &size, 4);
    int device = open("/dev/tpm0", O_RDWR | O_CLOEXEC);
    if (device < 0)
        return -1;
    ssize_t got = -1;
    if (write(device, command->bytes, command->length) == (ssize_t)command->length)
        got = read(device, answer, 1024);
    close(device);
    if (got < HEADER)
        return -1;
    *length = (size_t)got;
    return number_at(answer + 6);
}

static bool define_index(void)
{
    unsigned char answer[1024];
    size_t length;
    struct command command = begin(TAG_SESSIONS, CC_NV_DEFINE_SPACE);
    add32(&command, OWNER);
    add_password(&command);
    add16(&command, 0); // no password
    add16(&command, 14);
    add32(&command, INDEX);
    add16(&command, ALG_SHA256);
    add32(&command, INDEX_ATTRIBUTES);
    add16(&command, 0); // no policy
    add16(&command, TPM_VALUE_MAX);
    int64_t code = run(&command, answer, &length);
    return code == 0 || code == RC_NV_DEFINED;
}

bool tpm_put(const char *value)
{
    unsigned char answer[1024], content[TPM_VALUE_MAX] = {0};
    size_t length;
    if (strlen(value) >= sizeof content || !define_index())
        return false;
    memcpy(content, value, strlen(value));
    struct command command = begin(TAG_SESSIONS, CC_NV_WRITE);
    add32(&command, OWNER);
    add32(&command, INDEX);
    add_password(&command);
    add16(&command, sizeof content);
    add_bytes(&command, content, sizeof content);
    add16(&command, 0); // from its beginning
    return run(&command, answer, &length) == 0;
}

bool tpm_read(char value[TPM_VALUE_MAX])
{
    unsigned char answer[1024];
    size_t length;
    struct command command = begin(TAG_SESSIONS, CC_NV_READ);
    add32(&command, OWNER);
    add32(&command, INDEX);
    add_password(&command);
    add16(&command, TPM_VALUE_MAX);
    add16(&command, 0);
    if (run(&command, answer, &length) != 0 || length < HEADER + 6 + TPM_VALUE_MAX)
        return false;
    memcpy(value, answer + HEADER + 6, TPM_VALUE_MAX);
    value[TPM_VALUE_MAX - 1] = 0;
    return true;
}

bool tpm_measure(const char *text)
{
    unsigned char answer[1024], digest[DIGEST] = {0};
    size_t length;
    if (strlen(text) > sizeof digest)
        return false;
    memcpy(digest, text, strlen(text)); // any 32 bytes will do
    struct command command = begin(TAG_SESSIONS, CC_PCR_EXTEND);
    add32(&command, REGISTER);
    add_password(&command);
    add32(&command, 1);
    add16(&command, ALG_SHA256);
    add_bytes(&command, digest, sizeof digest);
    return run(&command, answer, &length) == 0;
}

bool tpm_measured(uint64_t *register_crc)
{
    unsigned char answer[1024], selection[3] = {0};
    size_t length;
    selection[REGISTER / 8] = 1 << REGISTER % 8;
    struct command command = begin(TAG_PLAIN, CC_PCR_READ);
    add32(&command, 1);
    add16(&command, ALG_SHA256);
    add_bytes(&command, (unsigned char[]){sizeof selection}, 1);
    add_bytes(&command, selection, sizeof selection);
    if (run(&command, answer, &length) != 0 || length < DIGEST)
        return false;
    *register_crc = crc64(0, answer + length - DIGEST, DIGEST); // the digest comes last
    return true;
}
