#include "runner/tfevents.h"

#include "base/strbuf.h"

#include <string.h>

/* ---- records --------------------------------------------------------------------------------- */

uint32_t tfevents_crc32c(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static uint32_t masked(const void *data, size_t size)
{
    uint32_t crc = tfevents_crc32c(data, size);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

static void add_little(struct strbuf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        strbuf_addc(out, (char)((value >> (8 * i)) & 0xff));
}

static void add_record(struct strbuf *out, const struct strbuf *message)
{
    struct strbuf length = STRBUF_INIT;
    add_little(&length, message->len, 8);
    strbuf_add(out, length.text, length.len);
    add_little(out, masked(length.text, length.len), 4);
    strbuf_add(out, message->text, message->len);
    add_little(out, masked(message->text, message->len), 4);
    strbuf_release(&length);
}

/* ---- messages -------------------------------------------------------------------------------- */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void add_varint(struct strbuf *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        strbuf_addc(out, (char)((value & 127) | 128));
    strbuf_addc(out, (char)value);
}

static void add_tag(struct strbuf *out, int field, enum wire wire)
{
    add_varint(out, ((uint64_t)field << 3) | wire);
}

static void add_double(struct strbuf *out, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(out, field, FIXED64);
    add_little(out, bits, 8);
}

static void add_float(struct strbuf *out, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(out, field, FIXED32);
    add_little(out, bits, 4);
}

static void add_bytes(struct strbuf *out, int field, const char *text, size_t size)
{
    add_tag(out, field, BYTES);
    add_varint(out, size);
    strbuf_add(out, text, size);
}

void tfevents_header(struct strbuf *out, double wall)
{
    static const char version[] = "brain.Event:2";
    struct strbuf event = STRBUF_INIT;
    add_double(&event, 1, wall);
    add_bytes(&event, 3, version, strlen(version));
    add_record(out, &event);
    strbuf_release(&event);
}

void tfevents_scalar(struct strbuf *out, double wall, int64_t step, const char *tag, float value)
{
    struct strbuf event = STRBUF_INIT, summary = STRBUF_INIT, scalar = STRBUF_INIT;
    add_bytes(&scalar, 1, tag, strlen(tag));
    add_float(&scalar, 2, value);
    add_bytes(&summary, 1, scalar.text, scalar.len);
    add_double(&event, 1, wall);
    add_tag(&event, 2, VARINT);
    add_varint(&event, (uint64_t)step);
    add_bytes(&event, 5, summary.text, summary.len);
    add_record(out, &event);
    strbuf_release(&scalar);
    strbuf_release(&summary);
    strbuf_release(&event);
}
