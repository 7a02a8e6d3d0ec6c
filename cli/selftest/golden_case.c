#include "cli/selftest/golden_case.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void case_run(struct selftest *t, const char *name, const struct safetensors *file, json_t *json,
              golden_check *check)
{
    struct error err = {0};
    struct comparison result = {0};
    struct golden_case g = {file, json, &result, &err};
    int rc = check(&g);
    if (!rc && !result.compared)
        rc = error_set(&err, "holds nothing that could be compared");
    golden_verdict(t, name, "data", rc, &result, &err);
}

void case_compare_values(struct golden_case *g, const char *name, const float *got,
                         const float *want, int64_t n, struct golden_allowance a)
{
    int64_t off = 0, first = -1;
    g->result->compared++;
    for (int64_t i = 0; i < n; i++) {
        if (a.tie && a.tie->data[i % a.tie->count])
            continue;
        if (!(fabs((double)got[i] - want[i]) <= a.tolerance)) {
            off++;
            first = first < 0 ? i : first;
        }
    }
    if (off <= a.spare * (double)n)
        return;
    g->result->worst = INFINITY;
    snprintf(g->result->what, sizeof g->result->what,
             "%s: %lld of %lld values off, value %lld is %.9g, stored %.9g", name, (long long)off,
             (long long)n, (long long)first, got[first], want[first]);
}

const struct safetensors_tensor *case_tensor(struct golden_case *g, const char *name)
{
    const struct safetensors_tensor *t = safetensors_find(g->file, name);
    if (!t)
        error_set(g->err, "has no %s", name);
    return t;
}

float *case_floats(const struct safetensors_tensor *t)
{
    float *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_float(t, x);
    return x;
}

double *case_doubles(const struct safetensors_tensor *t)
{
    double *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_double(t, x);
    return x;
}

int case_compare(struct golden_case *g, const char *name, const float *got, int64_t n,
                 struct golden_allowance a)
{
    const struct safetensors_tensor *t = case_tensor(g, name);
    if (!t)
        return -1;
    if (t->count != n)
        return error_set(g->err, "%s has %lld values, not %lld", name, (long long)t->count,
                         (long long)n);
    float *want = case_floats(t);
    case_compare_values(g, name, got, want, n, a);
    free(want);
    return 0;
}

float *case_of_bytes(const unsigned char *x, int64_t n)
{
    float *out = mem_alloc(sizeof *out * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i];
    return out;
}

int case_compare_bytes(struct golden_case *g, const char *name, const unsigned char *got, int64_t n)
{
    float *x = case_of_bytes(got, n);
    int rc = case_compare(g, name, x, n, (struct golden_allowance){0});
    free(x);
    return rc;
}

void case_compare_number(struct golden_case *g, const char *name, double got, double want,
                         double tolerance)
{
    g->result->compared++;
    if (fabs(got - want) <= tolerance)
        return;
    g->result->worst = INFINITY;
    snprintf(g->result->what, sizeof g->result->what, "%s is %.17g, stored %.17g", name, got, want);
}

int case_element(const json_t *array, size_t i)
{
    return (int)json_integer_value(json_array_get(array, i));
}

struct image_view case_stored_view(const struct safetensors_tensor *t)
{
    int channels = t->rank == 3 ? (int)t->dim[2] : 1, width = (int)t->dim[1];
    return (struct image_view){
        t->data, width, (int)t->dim[0], channels, 1, (ptrdiff_t)width * channels, channels};
}

struct image_view case_planar_view(const struct safetensors_tensor *t)
{
    int height = (int)t->dim[1], width = (int)t->dim[2];
    return (struct image_view){t->data, width, height, 3, (ptrdiff_t)width * height, width, 1};
}

/* (size,size,3) -> (3,size,size). */
static void to_planes(const float *in, int size, float *out)
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < size * size; i++)
            out[c * size * size + i] = in[i * 3 + c];
}

float *case_cropped(const struct image_view *v, struct box b, int size, enum resize_filter filter)
{
    size_t n = 3 * (size_t)size * (size_t)size;
    float *rows = mem_alloc(sizeof *rows * (resize_float_rows(b, size, 3) + 1));
    float *mixed = mem_alloc(sizeof *mixed * n), *out = mem_alloc(sizeof *out * n);
    resize_float(v, b, size, filter, rows, mixed);
    to_planes(mixed, size, out);
    free(rows);
    free(mixed);
    return out;
}
