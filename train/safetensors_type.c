/* Value types: names, sizes and conversion. Files are little-endian, and so are all machines we
 * build for. */
#include "train/safetensors.h"

#include "base/error.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian");

static double from_f64(const unsigned char *p)
{
    double v;
    memcpy(&v, p, sizeof v);
    return v;
}

static double from_f32(const unsigned char *p)
{
    float v;
    memcpy(&v, p, sizeof v);
    return (double)v;
}

static double from_bf16(const unsigned char *p)
{
    uint32_t bits = ((uint32_t)p[0] | (uint32_t)p[1] << 8) << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

/* A half with a zero exponent is mantissa * 2^-24; others move into a float's fields. */
static double from_f16(const unsigned char *p)
{
    uint32_t half = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    uint32_t sign = half >> 15, exponent = half >> 10 & 31, mantissa = half & 1023;
    if (exponent == 0)
        return (sign ? -1.0 : 1.0) * (double)mantissa * 0x1p-24;
    uint32_t bits = sign << 31 | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static int64_t integer_i64(const unsigned char *p)
{
    int64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static int64_t integer_i32(const unsigned char *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static int64_t integer_u8(const unsigned char *p)
{
    return *p;
}

static const struct value_type {
    const char *name;
    size_t size;
    double (*number)(const unsigned char *p); /* or */
    int64_t (*integer)(const unsigned char *p);
} types[SAFETENSORS_TYPES] = {
    [SAFETENSORS_F64] = {"F64", 8, from_f64, NULL},
    [SAFETENSORS_F32] = {"F32", 4, from_f32, NULL},
    [SAFETENSORS_F16] = {"F16", 2, from_f16, NULL},
    [SAFETENSORS_BF16] = {"BF16", 2, from_bf16, NULL},
    [SAFETENSORS_I64] = {"I64", 8, NULL, integer_i64},
    [SAFETENSORS_I32] = {"I32", 4, NULL, integer_i32},
    [SAFETENSORS_U8] = {"U8", 1, NULL, integer_u8},
};

const char *safetensors_type_name(enum safetensors_type type)
{
    return types[type].name;
}

size_t safetensors_type_size(enum safetensors_type type)
{
    return types[type].size;
}

static double value(const struct value_type *type, const unsigned char *p)
{
    return type->number ? type->number(p) : (double)type->integer(p);
}

void safetensors_read_double(const struct safetensors_tensor *t, double *out)
{
    const struct value_type *type = &types[t->type];
    for (int64_t i = 0; i < t->count; i++)
        out[i] = value(type, t->data + (size_t)i * type->size);
}

void safetensors_read_float(const struct safetensors_tensor *t, float *out)
{
    const struct value_type *type = &types[t->type];
    if (t->type == SAFETENSORS_F32 && t->bytes) {
        memcpy(out, t->data, t->bytes);
        return;
    }
    for (int64_t i = 0; i < t->count; i++)
        out[i] = (float)value(type, t->data + (size_t)i * type->size);
}

int safetensors_read_int32(const struct safetensors_tensor *t, int32_t *out, struct error *err)
{
    const struct value_type *type = &types[t->type];
    if (!type->integer)
        return error_env(err, "tensor %.80s: %s values where integers are expected", t->name,
                         type->name);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t v = type->integer(t->data + (size_t)i * type->size);
        if (v < INT32_MIN || v > INT32_MAX)
            return error_env(err, "tensor %.80s: value %lld at %lld does not fit 32 bits", t->name,
                             (long long)v, (long long)i);
        out[i] = (int32_t)v;
    }
    return 0;
}
