/* TensorBoard's event files: records of length and checksum (TFRecord) around small protobuf
 * messages. Debian has no C library that writes them, and three message types are all there is.
 *
 *   record   u64 length; u32 masked CRC of these 8 bytes; the message; u32 masked CRC of it
 *   masked   the CRC-32C, rotated right by 15, plus 0xa282ead8; numbers little-endian
 *   Event    1 wall_time double, 2 step int64, 3 file_version string, 5 summary
 *   Summary  1 value, repeated: 1 tag string, 2 simple_value float
 *
 * The first record of a file is an Event with file_version "brain.Event:2". */
#ifndef RUNNER_TFEVENTS_H
#define RUNNER_TFEVENTS_H

#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* CRC-32C (Castagnoli): polynomial 0x1edc6f41 reflected, start and end inverted. */
uint32_t tfevents_crc32c(const void *data, size_t size);

/* Add one record. wall: seconds since 1970. */
void tfevents_header(struct strbuf *out, double wall);
void tfevents_scalar(struct strbuf *out, double wall, int64_t step, const char *tag, float value);

#endif
