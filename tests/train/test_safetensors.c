/* Safetensors: round trips, refusals, damage. */
#include "train/safetensors.h"

#include "base/error.h"
#include "base/rng.h"
#include "base/strbuf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[200];

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vittm-safetensors-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- hand-made headers ----------------------------------------------------------------------- */

/* A file of this header and data_bytes bytes of data. Returns its size; the caller frees *file. */
static size_t make_file(const char *header, size_t data_bytes, unsigned char **file)
{
    uint64_t length = strlen(header);
    *file = calloc(1, 8 + length + data_bytes + 1);
    memcpy(*file, &length, 8);
    memcpy(*file + 8, header, length);
    return 8 + length + data_bytes;
}

static int parse_header(const char *header, size_t data_bytes, struct error *err)
{
    unsigned char *file;
    struct safetensors s;
    size_t size = make_file(header, data_bytes, &file);
    *err = (struct error){0};
    int rc = safetensors_parse(&s, "made.safetensors", file, size, err);
    if (!rc)
        safetensors_close(&s);
    free(file);
    return rc;
}

#define T(name, dtype, shape, span)                                                                \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" span "}"

static const struct refusal {
    const char *header;
    size_t data_bytes;
    const char *says; /* part of the message */
} refusals[] = {
    {"", 0, "begin with {"},
    {"[]", 0, "begin with {"},
    {" {}", 0, "begin with {"},
    {"{", 0, "not valid JSON"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":1}", 0, "tensor a: is not an object"},
    {"{\"a\":{}}", 0, "tensor a: needs dtype, shape and data_offsets"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[0,4]") "}", 4, "not valid JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "not valid JSON"},
    {"{" T("a", "F33", "[1]", "[0,4]") "}", 4, "unknown dtype F33"},
    {"{" T("a", "f32", "[1]", "[0,4]") "}", 4, "unknown dtype f32"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "has no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "has no shape"},
    {"{" T("a", "F32", "[1.0]", "[0,4]") "}", 4, "dimension 0 is not an integer"},
    {"{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "dimension 0 is not an integer"},
    {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "negative dimension -1"},
    {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 dimensions"},
    {"{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0, "overflows"},
    {"{" T("a", "U8", "[4194305,4194305,211106198978564]", "[0,4]") "}", 4, "overflows"},
    {"{" T("a", "F32", "[99999999999999999999]", "[0,4]") "}", 4, "not valid JSON"},
    {"{" T("a", "F32", "[1]", "[0]") "}", 4, "not a pair"},
    {"{" T("a", "F32", "[1]", "[0,4,4]") "}", 4, "not a pair"},
    {"{" T("a", "F32", "[1]", "[0.0,4]") "}", 4, "not a pair"},
    {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "not within"},
    {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, "not within"},
    {"{" T("a", "F32", "[1]", "[4,8]") "}", 4, "not within"},
    {"{" T("a", "F32", "[1]", "[0,9223372036854775807]") "}", 4, "not within"},
    {"{" T("a", "F32", "[2]", "[0,4]") "}", 4, "needs 8 bytes"},
    {"{" T("a", "F32", "[]", "[0,8]") "}", 8, "needs 4 bytes"},
    {"{" T("a", "F32", "[1]", "[0,4]") "}", 8, "4 bytes at the end"},
    {"{" T("a", "F32", "[1]", "[4,8]") "}", 8, "4 bytes before it"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12,
     "4 bytes before it"},
    {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12,
     "overlaps tensor a"},
    {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8, "overlaps tensor"},
    {"{" T("a", "F32", "[2]", "[0,8]") "," T("e", "F32", "[0]", "[4,4]") "}", 8,
     "overlaps tensor a"},
    {"{" T("e", "F32", "[0]", "[4,4]") "}", 4, "4 bytes before it"},
    {"{}", 1, "1 bytes at the end"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ a is not text"},
    {"{\"a\\u0000b\":{}}", 0, "not valid JSON"},
    {"{\"\xff\":{}}", 0, "not valid JSON"},
    {"{\"a\\nb\":1}", 0, "tensor a?b: is not"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct error err;
        const struct refusal *r = &refusals[i];
        int rc = parse_header(r->header, r->data_bytes, &err);
        if (!rc || err.code != EXIT_ENVIRONMENT || !strstr(err.msg, r->says) ||
            strncmp(err.msg, "made.safetensors: ", 18) || strchr(err.msg, '\n'))
            fail_msg("case %zu %s: rc %d, code %d, message '%s' should say '%s'", i, r->header, rc,
                     err.code, err.msg, r->says);
    }
}

static void test_accepts(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(parse_header("{}", 0, &err), 0);
    assert_int_equal(parse_header("{}   ", 0, &err), 0);
    assert_int_equal(parse_header("{\"__metadata__\":{\"a\":\"b\"}}", 0, &err), 0);
    assert_int_equal(parse_header("{" T("a", "F32", "[]", "[0,4]") "}", 4, &err), 0);
    /* Out of order, with an empty tensor between two others. */
    assert_int_equal(
        parse_header("{" T("b", "F32", "[1]", "[4,8]") "," T("e", "F32", "[3,0]", "[4,4]") "," T(
                         "a", "U8", "[4]", "[0,4]") "}",
                     8, &err),
        0);
}

static void test_sizes(void **state)
{
    (void)state;
    struct error err = {0};
    struct safetensors s;
    unsigned char bytes[16] = {0};
    assert_int_equal(safetensors_parse(&s, "x", bytes, 0, &err), -1);
    assert_int_equal(safetensors_parse(&s, "x", bytes, 7, &err), -1);
    assert_int_equal(safetensors_parse(&s, "x", bytes, 8, &err), -1);
    bytes[5] = 1; /* 2^40 */
    assert_int_equal(safetensors_parse(&s, "x", bytes, 16, &err), -1);
    assert_non_null(strstr(err.msg, "header length 1099511627776 exceeds the file's 16 bytes"));

    size_t big = SAFETENSORS_HEADER_MAX + 1;
    unsigned char *file = calloc(1, big + 8);
    uint64_t length = big;
    memcpy(file, &length, 8);
    memset(file + 8, ' ', big);
    memcpy(file + 8, "{}", 2);
    assert_int_equal(safetensors_parse(&s, "x", file, big + 8, &err), -1);
    assert_non_null(strstr(err.msg, "exceeds 16 MiB"));
    memcpy(file, "\x80\x02\x8a\x0alF", 6);
    assert_int_equal(safetensors_parse(&s, "x", file, big + 8, &err), -1);
    assert_non_null(strstr(err.msg, "pickle"));
    free(file);
}

/* 100,001 empty tensors. */
static void test_too_many(void **state)
{
    (void)state;
    struct strbuf header = STRBUF_INIT;
    struct error err;
    strbuf_addc(&header, '{');
    for (int i = 0; i <= SAFETENSORS_TENSORS_MAX; i++)
        strbuf_addf(&header, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                    i ? "," : "", i);
    strbuf_addc(&header, '}');
    assert_int_equal(parse_header(header.text, 0, &err), -1);
    assert_non_null(strstr(err.msg, "more than 100000"));
    strbuf_release(&header);
}

/* Any change of any byte is refused or leaves something that is as consistent as before: never a
 * crash, which the sanitizer build looks for. */
static void test_mutations(void **state)
{
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"k\":\"v\"}," T(
        "b", "F32", "[2,1]", "[8,16]") "," T("a", "I64", "[1]", "[0,8]") "}";
    unsigned char *file;
    struct rng r;
    size_t size = make_file(header, 16, &file);
    unsigned char *copy = malloc(size);
    rng_init(&r, 1, "test/mutations", 0, 0);
    for (int i = 0; i < 20000; i++) {
        struct safetensors s;
        struct error err = {0};
        memcpy(copy, file, size);
        for (int64_t n = 1 + rng_below(&r, 3); n > 0; n--)
            copy[rng_below(&r, (int64_t)size)] = (unsigned char)rng_below(&r, 256);
        size_t length = rng_below(&r, 4) ? size : (size_t)rng_below(&r, (int64_t)size);
        if (safetensors_parse(&s, "mutant", copy, length, &err)) {
            assert_int_equal(err.code, EXIT_ENVIRONMENT);
            continue;
        }
        double values[16];
        for (size_t t = 0; t < s.n_tensors; t++)
            safetensors_read_double(&s.tensors[t], values);
        safetensors_close(&s);
    }
    free(copy);
    free(file);
}

/* ---- values ---------------------------------------------------------------------------------- */

static double read_one(enum safetensors_type type, const void *bytes)
{
    struct safetensors_tensor t = {
        .name = "t", .type = type, .count = 1, .data = bytes, .bytes = safetensors_type_size(type)};
    double v;
    float f;
    safetensors_read_double(&t, &v);
    safetensors_read_float(&t, &f);
    if (!isnan(v) && f != (float)v)
        fail_msg("as float %g, as double %g", (double)f, v);
    return v;
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        uint16_t bits;
        double value;
    } halves[] = {{0x3c00, 1},       {0xbc00, -1},    {0x0001, 0x1p-24},   {0x03ff, 1023 * 0x1p-24},
                  {0x0400, 0x1p-14}, {0x7bff, 65504}, {0xfc00, -INFINITY}, {0x3555, 0.333251953125},
                  {0x8001, -0x1p-24}},
      brains[] = {{0x3f80, 1}, {0xc2f7, -123.5}, {0x0001, 0x1p-133}, {0x7f80, INFINITY}};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        if (read_one(SAFETENSORS_F16, &halves[i].bits) != halves[i].value)
            fail_msg("half %04x: %g, not %g", halves[i].bits,
                     read_one(SAFETENSORS_F16, &halves[i].bits), halves[i].value);
    for (size_t i = 0; i < sizeof brains / sizeof *brains; i++)
        if (read_one(SAFETENSORS_BF16, &brains[i].bits) != brains[i].value)
            fail_msg("bfloat %04x: %g", brains[i].bits,
                     read_one(SAFETENSORS_BF16, &brains[i].bits));
    uint16_t nan16 = 0x7e00;
    assert_true(isnan(read_one(SAFETENSORS_F16, &nan16)));
    int64_t wide = -5000000000, fits = -7;
    int32_t narrow = INT32_MIN, out;
    uint8_t byte = 255;
    double d = 0.1;
    assert_true(read_one(SAFETENSORS_I64, &wide) == -5e9);
    assert_true(read_one(SAFETENSORS_I32, &narrow) == (double)INT32_MIN);
    assert_true(read_one(SAFETENSORS_U8, &byte) == 255);
    assert_true(read_one(SAFETENSORS_F64, &d) == 0.1);

    struct error err = {0};
    struct safetensors_tensor t = {
        .name = "t", .type = SAFETENSORS_I64, .count = 1, .data = (void *)&wide};
    assert_int_equal(safetensors_read_int32(&t, &out, &err), -1);
    t.data = (void *)&fits;
    assert_int_equal(safetensors_read_int32(&t, &out, &err), 0);
    assert_int_equal(out, -7);
    t.type = SAFETENSORS_F64;
    assert_int_equal(safetensors_read_int32(&t, &out, &err), -1);
}

/* ---- writing --------------------------------------------------------------------------------- */

static const double doubles[2] = {0.1, -3e300};
static const float floats[6] = {1, 2, 3, 4, 5, 6.5f};
static const uint8_t bytes3[3] = {1, 2, 255};
static const struct safetensors_entry entries[] = {
    {.name = "z.bytes", .type = SAFETENSORS_U8, .rank = 1, .dim = {3}, .data = bytes3},
    {.name = "b.weight", .type = SAFETENSORS_F32, .rank = 2, .dim = {2, 3}, .data = floats},
    {.name = "a.weight", .type = SAFETENSORS_F32, .rank = 0, .data = floats},
    {.name = "empty", .type = SAFETENSORS_F32, .rank = 2, .dim = {0, 3}, .data = floats},
    {.name = "m", .type = SAFETENSORS_F64, .rank = 1, .dim = {2}, .data = doubles}};
static const struct safetensors_pair pairs[] = {{"step", "12"}, {"cell", "say \"hi\"\n"}};

static void write_sample(const char *path, char digest[65])
{
    struct error err = {0};
    if (safetensors_write(path, entries, 5, pairs, 2, digest, &err))
        fail_msg("%s", err.msg);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct safetensors s;
    struct error err = {0};
    char digest[65];
    const char *path = in_folder("w.safetensors");
    write_sample(path, digest);
    if (safetensors_open(&s, path, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(safetensors_verify(&s, &err), 0);
    assert_int_equal(s.n_tensors, 5);
    assert_string_equal(safetensors_metadata(&s, "step"), "12");
    assert_string_equal(safetensors_metadata(&s, "cell"), "say \"hi\"\n");
    assert_string_equal(safetensors_metadata(&s, "sha256"), digest);
    assert_null(safetensors_metadata(&s, "none"));
    assert_null(safetensors_find(&s, "none"));
    for (int i = 0; i < 5; i++) {
        const struct safetensors_tensor *t = safetensors_find(&s, entries[i].name);
        assert_non_null(t);
        assert_int_equal(t->type, entries[i].type);
        assert_int_equal(t->rank, entries[i].rank);
        assert_memory_equal(t->dim, entries[i].dim, sizeof(int64_t) * (size_t)t->rank);
        assert_memory_equal(t->data, entries[i].data, t->bytes);
        assert_int_equal((uintptr_t)t->data % safetensors_type_size(t->type), 0);
    }
    assert_int_equal((8 + s.header_size) % 64, 0);
    safetensors_close(&s);
    unlink(path);
}

static void test_same_bytes(void **state)
{
    (void)state;
    char first[65], second[65], path[300];
    struct error err = {0};
    snprintf(path, sizeof path, "%s", in_folder("a.safetensors"));
    struct safetensors_entry turned[5];
    for (int i = 0; i < 5; i++)
        turned[i] = entries[4 - i];
    const struct safetensors_pair swapped[] = {pairs[1], pairs[0]};
    write_sample(path, NULL);
    assert_int_equal(file_sha256(path, first, &err), 0);
    assert_int_equal(safetensors_write(path, turned, 5, swapped, 2, NULL, &err), 0);
    assert_int_equal(file_sha256(path, second, &err), 0);
    assert_string_equal(first, second);
    unlink(path);
}

/* Every flipped bit is noticed, by the parser or by the digest. */
static void test_damage(void **state)
{
    (void)state;
    struct error err = {0};
    const char *path = in_folder("d.safetensors");
    char *data;
    size_t size;
    write_sample(path, NULL);
    assert_int_equal(file_read(path, 1 << 20, &data, &size, &err), 0);
    for (size_t i = 0; i < 8 * size; i++) {
        struct safetensors s;
        data[i / 8] ^= (char)(1 << i % 8);
        if (!safetensors_parse(&s, path, data, size, &err)) {
            const char *digest = safetensors_metadata(&s, "sha256");
            if (digest && strlen(digest) == 64 && !safetensors_verify(&s, &err))
                fail_msg("bit %zu of byte %zu passes", i % 8, i / 8);
            safetensors_close(&s);
        }
        data[i / 8] ^= (char)(1 << i % 8);
    }
    free(data);
    unlink(path);
}

static void test_unwritable(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(
        safetensors_write(in_folder("none/w.safetensors"), entries, 5, NULL, 0, NULL, &err), -1);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    struct safetensors s;
    assert_int_equal(safetensors_open(&s, in_folder("none"), &err), -1);
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
}

/* ---- files of the reference material --------------------------------------------------------- */

static const char *shared(const char *name)
{
    static char path[600];
    const char *root = getenv("VITTM_SHARED");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", name);
    return path;
}

static void test_bad_files(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"10_header_longer_than_file", "header length 1099511627776 exceeds"},
        {"11_overlapping_offsets", "tensor b: overlaps tensor a"},
        {"12_wrong_dtype", "unknown dtype F33"},
        {"17_size_shape_mismatch", "its shape needs 12 bytes, data_offsets span 8"},
        {"18_negative_shape", "negative dimension -2"},
        {"19_shape_overflow", "overflows"}};
    if (!file_is_folder(shared("data/bad"))) {
        print_message("no %s\n", shared("data/bad"));
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[100];
        struct safetensors s;
        struct error err = {0};
        snprintf(name, sizeof name, "data/bad/%s.safetensors", names[i][0]);
        assert_true(file_exists(shared(name)));
        assert_int_equal(safetensors_open(&s, shared(name), &err), -1);
        if (!strstr(err.msg, names[i][1]) || !strstr(err.msg, names[i][0]))
            fail_msg("'%s' should say '%s'", err.msg, names[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_mutations),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_bad_files)};
    return cmocka_run_group_tests_name("safetensors", tests, make_folder, remove_folder);
}
