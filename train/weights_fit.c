#include "train/weights_fit.h"

#include "base/memory.h"
#include "train/weights_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one rule is given. */
struct fitting {
    struct arena *a;
    const struct tensor *to;
    const struct safetensors_tensor *from;
    const double *values;
    enum resample_kernel kernels;
    double *fitted; /* room for the parameter's values */
};

static const struct weights_fit no_rule = {WEIGHTS_IGNORED, ""};

static const int64_t *dims(const struct fitting *f)
{
    return f->to->shape.dim;
}

/* ---- the same values ------------------------------------------------------------------------- */

static struct weights_fit fit_same(const struct fitting *f)
{
    if (f->from->rank != f->to->shape.rank ||
        memcmp(f->from->dim, dims(f), sizeof(int64_t) * (size_t)f->from->rank) != 0)
        return no_rule;
    memcpy(f->fitted, f->values, sizeof *f->values * (size_t)f->from->count);
    return (struct weights_fit){WEIGHTS_USED, ""};
}

/* The dimensions that are not 1, in order; returns how many. */
static int squeeze(int rank, const int64_t *dim, int64_t *out)
{
    int n = 0;
    for (int i = 0; i < rank; i++)
        if (dim[i] != 1)
            out[n++] = dim[i];
    return n;
}

static struct weights_fit fit_squeezed(const struct fitting *f)
{
    int64_t x[SAFETENSORS_RANK_MAX], y[SAFETENSORS_RANK_MAX];
    int n = squeeze(f->from->rank, f->from->dim, x);
    if (n != squeeze(f->to->shape.rank, dims(f), y) || memcmp(x, y, sizeof *x * (size_t)n) != 0)
        return no_rule;
    memcpy(f->fitted, f->values, sizeof *f->values * (size_t)f->from->count);
    return (struct weights_fit){WEIGHTS_RESHAPED, "the same values, without dimensions of 1"};
}

/* ---- position tables ------------------------------------------------------------------------- */

/* A table of n entries is a square grid after at most two prefix entries (class token, DeiT's
 * distillation token); no n is so in two ways. Returns the grid's side, or 0. */
static int64_t grid_side(int64_t n, int64_t *prefix)
{
    for (*prefix = 0; *prefix <= 2 && *prefix < n; ++*prefix) {
        int64_t side = (int64_t)llround(sqrt((double)(n - *prefix)));
        if (side * side == n - *prefix)
            return side;
    }
    return 0;
}

static const char *prefix_note(int64_t have, int64_t want)
{
    if (have == want)
        return "";
    if (!want)
        return ", without its class token's entry";
    return have ? ", without the distillation token's entry" : ", 0 for the class token";
}

/* (1, prefix + side^2, C) */
static struct weights_fit fit_table(const struct fitting *f)
{
    int64_t have, want, side, out_side, width;
    if (!strstr(f->to->name, "pos_embed") || f->from->rank != 3 || f->to->shape.rank != 3 ||
        f->from->dim[0] != 1 || dims(f)[0] != 1 || f->from->dim[2] != dims(f)[2])
        return no_rule;
    side = grid_side(f->from->dim[1], &have);
    out_side = grid_side(dims(f)[1], &want);
    if (!side || !out_side || want > 1)
        return no_rule;
    width = dims(f)[2];
    memset(f->fitted, 0, sizeof *f->fitted * (size_t)(want * width));
    if (want && have)
        memcpy(f->fitted, f->values, sizeof *f->values * (size_t)width);
    resample_table(f->values + have * width, side, width, f->fitted + want * width, out_side);
    return (struct weights_fit){WEIGHTS_RESHAPED,
                                arena_printf(f->a, "grid %lldx%lld resampled to %lldx%lld%s",
                                             (long long)side, (long long)side, (long long)out_side,
                                             (long long)out_side, prefix_note(have, want))};
}

/* ---- patch kernels --------------------------------------------------------------------------- */

static int is_patch_kernel(const char *name)
{
    size_t n = strlen(name), m = strlen(".proj.weight");
    return n > m && !strcmp(name + n - m, ".proj.weight") &&
           (strstr(name, "patch_embed") || strstr(name, "embedder"));
}

/* (C, c, p, p) */
static struct weights_fit fit_kernel(const struct fitting *f)
{
    const int64_t *x = f->from->dim, *y = dims(f);
    if (!is_patch_kernel(f->to->name) || f->from->rank != 4 || f->to->shape.rank != 4 ||
        x[0] != y[0] || x[1] != y[1] || x[2] != x[3] || y[2] != y[3])
        return no_rule;
    resample_kernels(f->kernels, f->values, x[0] * x[1], x[2], f->fitted, y[2]);
    return (struct weights_fit){
        WEIGHTS_RESHAPED,
        arena_printf(f->a, "kernel %lldx%lld resized to %lldx%lld by %s", (long long)x[2],
                     (long long)x[2], (long long)y[2], (long long)y[2],
                     f->kernels == RESAMPLE_PINV ? "pseudo-inverse" : "interpolation")};
}

/* ---- classifiers ----------------------------------------------------------------------------- */

int weights_is_head(const char *name)
{
    static const char *const heads[] = {"head",         "process_head",    "compressed_head",
                                        "decoder.head", "decoder.cls_emb", "decoder.mask_norm"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (name_is_in(name, heads[i]))
            return 1;
    return 0;
}

/* Classes are the first dimension, or the second of a decoder's class tokens (1,K,C). */
static struct weights_fit fit_head(const struct fitting *f)
{
    int rank = f->from->rank, at = rank == 3 ? 1 : 0;
    if (!weights_is_head(f->to->name) || rank != f->to->shape.rank || rank < 1 || rank > 3)
        return no_rule;
    for (int i = 0; i < rank; i++)
        if (i != at && f->from->dim[i] != dims(f)[i])
            return no_rule;
    return (struct weights_fit){WEIGHTS_REPLACED,
                                arena_printf(f->a, "the file's is for %lld classes, this for %lld",
                                             (long long)f->from->dim[at], (long long)dims(f)[at])};
}

struct weights_fit weights_fit(struct arena *a, const struct tensor *to,
                               const struct safetensors_tensor *from, const double *values,
                               enum resample_kernel kernels, double **fitted)
{
    static struct weights_fit (*const rules[])(const struct fitting *f) = {
        fit_same, fit_squeezed, fit_table, fit_kernel, fit_head};
    struct weights_fit fit = no_rule;
    *fitted = mem_alloc(sizeof **fitted * (size_t)shape_count(to->shape) + 1);
    struct fitting f = {a, to, from, values, kernels, *fitted};
    for (size_t i = 0; i < sizeof rules / sizeof *rules && fit.state == WEIGHTS_IGNORED; i++)
        fit = rules[i](&f);
    if (fit.state == WEIGHTS_USED || fit.state == WEIGHTS_RESHAPED)
        return fit;
    free(*fitted);
    *fitted = NULL;
    return fit;
}
