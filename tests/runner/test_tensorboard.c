/* TensorBoard's event files, read back by a decoder that shares no code with the writer and takes
 * nothing but what it knows. */
#include "runner/tensorboard.h"

#include "base/error.h"
#include "base/file.h"
#include "runner/tfevents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the decoder ----------------------------------------------------------------------------- */

struct bytes {
    const unsigned char *at, *end;
};

static uint64_t little(struct bytes *b, int n)
{
    uint64_t value = 0;
    assert_true(b->end - b->at >= n);
    for (int i = n - 1; i >= 0; i--)
        value = value * 256 + b->at[i];
    b->at += n;
    return value;
}

static uint64_t varint(struct bytes *b)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(b->at < b->end && shift < 64);
        value |= (uint64_t)(*b->at & 0x7f) << shift;
        if (!(*b->at++ & 0x80))
            return value;
    }
}

static struct bytes part(struct bytes *b, uint64_t size)
{
    assert_true((uint64_t)(b->end - b->at) >= size);
    struct bytes p = {b->at, b->at + size};
    b->at += size;
    return p;
}

/* By long division of polynomials, most significant bit first, of the reflected bytes. */
static uint32_t crc_of(struct bytes b)
{
    uint32_t crc = 0xffffffff, back = 0;
    for (; b.at < b.end; b.at++)
        for (int k = 0; k < 8; k++) {
            uint32_t bit = (uint32_t)(*b.at >> k & 1) ^ crc >> 31;
            crc = crc << 1 ^ (bit ? 0x1edc6f41 : 0);
        }
    for (int k = 0; k < 32; k++)
        back |= (crc >> k & 1) << (31 - k);
    return ~back;
}

static void expect_crc(struct bytes what, uint64_t stored)
{
    uint32_t crc = (uint32_t)stored - 0xa282ead8u;
    assert_int_equal(crc_of(what), crc << 15 | crc >> 17);
}

struct scalar {
    double wall;
    int64_t step;
    char tag[64];
    float value;
};

static void read_value(struct bytes b, struct scalar *s)
{
    assert_int_equal(varint(&b), 1 << 3 | 2);
    struct bytes tag = part(&b, varint(&b));
    snprintf(s->tag, sizeof s->tag, "%.*s", (int)(tag.end - tag.at), (const char *)tag.at);
    assert_int_equal(varint(&b), 2 << 3 | 5);
    uint32_t bits = (uint32_t)little(&b, 4);
    memcpy(&s->value, &bits, 4);
    assert_true(b.at == b.end);
}

/* One Event; 1 if it is the header. */
static int read_event(struct bytes b, struct scalar *s)
{
    assert_int_equal(varint(&b), 1 << 3 | 1);
    uint64_t bits = little(&b, 8);
    memcpy(&s->wall, &bits, 8);
    uint64_t key = varint(&b);
    if (key == (3 << 3 | 2)) {
        struct bytes version = part(&b, varint(&b));
        assert_int_equal(version.end - version.at, 13);
        assert_memory_equal(version.at, "brain.Event:2", 13);
        assert_true(b.at == b.end);
        return 1;
    }
    assert_int_equal(key, 2 << 3 | 0);
    s->step = (int64_t)varint(&b);
    assert_int_equal(varint(&b), 5 << 3 | 2);
    struct bytes summary = part(&b, varint(&b));
    assert_true(b.at == b.end);
    assert_int_equal(varint(&summary), 1 << 3 | 2);
    read_value(part(&summary, varint(&summary)), s);
    return 0;
}

/* All scalars of a file whose first record, and no other, is the header. */
static int read_file(const char *path, struct scalar *all, int most)
{
    struct error err = {0};
    char *data;
    size_t size;
    int n = 0;
    if (file_read(path, 1 << 20, &data, &size, &err))
        fail_msg("%s", err.msg);
    struct bytes b = {(unsigned char *)data, (unsigned char *)data + size};
    for (int first = 1; b.at < b.end; first = 0) {
        struct bytes length = {b.at, b.at + 8};
        uint64_t count = little(&b, 8);
        expect_crc(length, little(&b, 4));
        struct bytes message = part(&b, count);
        expect_crc(message, little(&b, 4));
        assert_true(n < most);
        assert_int_equal(read_event(message, &all[n]), first);
        n += !first;
    }
    free(data);
    return n;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_crc(void **state)
{
    (void)state;
    static const char nine[] = "123456789"; /* the catalogue's check value of CRC-32C */
    assert_int_equal(tfevents_crc32c(nine, 9), 0xe3069283);
    assert_int_equal(
        crc_of((struct bytes){(const unsigned char *)nine, (const unsigned char *)nine + 9}),
        0xe3069283);
}

static char folder[200], board[300];

static void append(const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/events.jsonl", folder);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect(const struct scalar *s, const char *tag, int64_t step, float value, double wall)
{
    assert_string_equal(s->tag, tag);
    assert_int_equal(s->step, step);
    assert_true(s->value == value);
    assert_true(s->wall == wall);
}

static void test_follow(void **state)
{
    (void)state;
    struct error err = {0};
    struct tensorboard *t;
    struct scalar s[20];
    append("{\"epoch\":1,\"step\":50,\"time\":1000.5,\"metrics\":{\"step/loss\":2.5}}\n"
           "{\"epoch\":1,\"step\":300,\"time\":1001,\"metrics\":{\"val/top1\":12.5,\"a\":-1}}\n");
    if (tensorboard_open(&t, board, "linear/add ..x", "0123456789abcdef-s0-cpu", folder, &err))
        fail_msg("%s", err.msg);
    char path[400];
    snprintf(path, sizeof path, "%s/linear_add_..x-01234567/events.out.tfevents.vittm", board);
    assert_int_equal(read_file(path, s, 20), 3);
    expect(&s[0], "step/loss", 50, 2.5, 1000.5);
    expect(&s[1], "val/top1", 300, 12.5, 1001);
    expect(&s[2], "a", 300, -1, 1001);
    /* A torn line waits; what a resumed worker says again is left out. */
    append("{\"epoch\":2,\"step\":500,\"time\":1002,\"metrics\":{\"step/lo");
    assert_int_equal(tensorboard_follow(t, &err), 0);
    assert_int_equal(read_file(path, s, 20), 3);
    append("\n{\"epoch\":1,\"step\":300,\"time\":1003,\"metrics\":{\"val/top1\":12.5}}\n"
           "{\"epoch\":2,\"step\":3000000000,\"time\":1004,\"metrics\":{\"val/top1\":20}}\n");
    assert_int_equal(tensorboard_follow(t, &err), 0);
    assert_int_equal(read_file(path, s, 20), 4);
    expect(&s[3], "val/top1", 3000000000, 20, 1004);
    tensorboard_close(t);
    /* Made anew it is the same but for the header's time. */
    assert_int_equal(
        tensorboard_write(board, "linear/add ..x", "0123456789abcdef-s0-cpu", folder, &err), 0);
    assert_int_equal(read_file(path, s, 20), 4);
    unlink(path);
}

static void test_refused(void **state)
{
    (void)state;
    struct error err = {0};
    char file[300];
    snprintf(file, sizeof file, "%s/events.jsonl", folder);
    assert_int_equal(tensorboard_write(file, "label", "run", folder, &err), -1);
    assert_non_null(strstr(err.msg, file));
}

static int make(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vittm-board-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(board, sizeof board, "%s/board", folder);
    return 0;
}

static int clean(void **state)
{
    char path[400];
    (void)state;
    snprintf(path, sizeof path, "%s/linear_add_..x-01234567", board);
    rmdir(path);
    rmdir(board);
    snprintf(path, sizeof path, "%s/events.jsonl", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc), cmocka_unit_test(test_follow),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests_name("tensorboard", tests, make, clean);
}
