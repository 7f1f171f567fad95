#include "witness.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0xc96c5795d7870f42 // ECMA-182, reflected

static uint64_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[0][i] = crc;
    }
    for (unsigned i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[0][table[k - 1][i] & 0xff] ^ table[k - 1][i] >> 8;
}

// Eight bytes at a time: byte by byte is too slow in an emulated guest.
uint64_t crc64(uint64_t crc, const void *data, size_t length)
{
    const unsigned char *p = data;
    pthread_once(&once, fill_table);
    crc = ~crc;
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= table[7 - k][word >> (8 * k) & 0xff];
    }
    while (length--)
        crc = table[0][(crc ^ *p++) & 0xff] ^ crc >> 8;
    return ~crc;
}
