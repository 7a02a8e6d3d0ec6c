/* Golden files about resampled weights: position tables and patch kernels. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_case.h"
#include "cli/selftest/golden_step.h"
#include "train/resample_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one resampling -------------------------------------------------------------------------- */

static void compare_stored(const struct step_case *s, const char *name, const double *got,
                           int64_t n)
{
    double *want = golden_stored(s->file, "", name, n);
    if (want)
        golden_compare(s->result, name, got, want, n, GOLDEN_TOLERANCE_DOUBLE, 1e-12);
    free(want);
}

int step_position_table(struct step_case *s, struct error *err)
{
    int64_t from = step_number(s, "old_grid"), to = step_number(s, "new_grid");
    int64_t prefix = step_number(s, "prefix_tokens"),
            width = step_stored_shape(s, "pos_embed").dim[2];
    int64_t n = (prefix + to * to) * width;
    double *in = golden_stored(s->file, "", "pos_embed", (prefix + from * from) * width);
    if (!in)
        return error_set(err, "has no pos_embed of a %lld x %lld grid", (long long)from,
                         (long long)from);
    double *out = mem_alloc(sizeof *out * (size_t)n);
    memcpy(out, in, sizeof *out * (size_t)(prefix * width));
    resample_table(in + prefix * width, from, width, out + prefix * width, to);
    compare_stored(s, "resampled", out, n);
    free(in);
    free(out);
    return 0;
}

/* The map that `how` is, one row for each value of the old kernel. */
static double *kernel_map(enum resample_kernel how, int64_t from, int64_t to)
{
    int64_t n = from * from, m = to * to;
    double *unit = mem_zalloc((size_t)(n * n), sizeof *unit);
    double *map = mem_alloc(sizeof *map * (size_t)(n * m));
    for (int64_t i = 0; i < n; i++)
        unit[i * n + i] = 1;
    resample_kernels(how, unit, n, from, map, to);
    free(unit);
    return map;
}

static void transpose(double *to, const double *from, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[j * rows + i] = from[i * cols + j];
}

int step_patch_kernels(struct step_case *s, struct error *err)
{
    int64_t from = step_number(s, "old_patch"), to = step_number(s, "new_patch");
    int64_t count = shape_count(step_stored_shape(s, "weight")) / (from * from), m = to * to;
    double *in = golden_stored(s->file, "", "weight", count * from * from);
    if (!in)
        return error_set(err, "has no weight of %lld x %lld kernels", (long long)from,
                         (long long)from);
    double *out = mem_alloc(sizeof *out * (size_t)(count * m));
    resample_kernels(RESAMPLE_PINV, in, count, from, out, to);
    compare_stored(s, "resized", out, count * m);
    double *map = kernel_map(RESAMPLE_INTERPOLATE, from, to);
    compare_stored(s, "resize_matrix", map, from * from * m);
    free(map);
    map = kernel_map(RESAMPLE_PINV, from, to);
    double *columns = mem_alloc(sizeof *columns * (size_t)(from * from * m));
    transpose(columns, map, from * from, m);
    compare_stored(s, "pinv", columns, from * from * m);
    free(columns);
    free(map);
    free(in);
    free(out);
    return 0;
}

/* ---- all that a family of models needs ------------------------------------------------------- */

/* pos_A_to_B is made from pos_A.in, patch_A_to_B from patch_A_B.in. */
struct resampled {
    int is_table, from, to;
    char source[64];
};

static int parse_name(const char *name, struct resampled *r)
{
    r->is_table = sscanf(name, "pos_%d_to_%d", &r->from, &r->to) == 2;
    if (!r->is_table && sscanf(name, "patch_%d_to_%d", &r->from, &r->to) != 2)
        return 0;
    snprintf(r->source, sizeof r->source, r->is_table ? "pos_%d.in" : "patch_%d_%d.in", r->from,
             r->to);
    return 1;
}

/* What t must be, or NULL where the file lacks its input. */
static float *resampled_new(struct golden_case *g, const struct safetensors_tensor *t,
                            const struct resampled *r)
{
    const struct safetensors_tensor *in = case_tensor(g, r->source);
    if (!in || in->rank < 3)
        return NULL;
    double *x = case_doubles(in), *out = mem_alloc(sizeof *out * (size_t)t->count);
    float *result = mem_alloc(sizeof *result * (size_t)t->count);
    if (r->is_table)
        resample_table(x, r->from, in->dim[2], out, r->to);
    else
        resample_kernels(RESAMPLE_PINV, x, in->dim[0] * in->dim[1], r->from, out, r->to);
    for (int64_t i = 0; i < t->count; i++)
        result[i] = (float)out[i];
    free(x);
    free(out);
    return result;
}

static int is_near(const float *a, const struct safetensors_tensor *t, double tolerance)
{
    float *b = case_floats(t);
    int near = 1;
    for (int64_t i = 0; i < t->count && near; i++)
        near = fabs((double)a[i] - b[i]) <= tolerance;
    free(b);
    return near;
}

/* Tables of one size share the name of their input, so that only one of them still has its own in
 * the file: t may differ where another one from that size does not. */
static int has_twin(struct golden_case *g, const struct safetensors_tensor *t,
                    const struct resampled *r, double tolerance)
{
    int found = 0;
    for (size_t i = 0; i < g->file->n_tensors && !found && r->is_table; i++) {
        const struct safetensors_tensor *u = &g->file->tensors[i];
        struct resampled other;
        if (u == t || !parse_name(u->name, &other) || strcmp(other.source, r->source) != 0)
            continue;
        float *x = resampled_new(g, u, &other);
        found = x && is_near(x, u, tolerance);
        free(x);
    }
    return found;
}

static int check_embed(struct golden_case *g)
{
    int rc = 0;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++) {
        const struct safetensors_tensor *t = &g->file->tensors[i];
        struct resampled r;
        if (!parse_name(t->name, &r))
            continue;
        double tolerance = r.is_table ? 1e-6 : 5e-5;
        float *x = resampled_new(g, t, &r);
        if (!x)
            rc = -1;
        else if (is_near(x, t, tolerance) || !has_twin(g, t, &r, tolerance))
            rc = case_compare(g, t->name, x, t->count,
                              (struct golden_allowance){.tolerance = tolerance});
        free(x);
    }
    return rc;
}

GOLDEN_RUN(embed)

const struct golden_kind golden_resample_kinds[] = {{"embed_resample", run_embed}, {NULL, NULL}};
