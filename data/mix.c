#include "data/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/vector.h"

static const struct config_choice pairings[] = {
    [MIX_ROLL] = {"roll", "each sample with the one before it in the batch", NULL},
    [MIX_PERMUTATION] = {"permutation", "by a random permutation of the batch", NULL},
    [MIX_FLIP] = {"flip", "with the batch in reverse order", NULL},
};

static const struct config_choice *pairing_choice(int i)
{
    return i >= 0 && i < (int)(sizeof pairings / sizeof *pairings) ? &pairings[i] : NULL;
}

static const struct config_choice scopes[] = {
    [MIX_BATCH] = {"batch", "one for all images of a batch, drawn once", NULL},
    [MIX_SAMPLE] = {"sample", "every image draws its own", NULL},
};

static const struct config_choice *scope_choice(int i)
{
    return i >= 0 && i < (int)(sizeof scopes / sizeof *scopes) ? &scopes[i] : NULL;
}

const struct config_key mix_keys[] = {
    {"data.mix.mixup_alpha", CONFIG_FLOAT, "0", 0, 1000, NULL, 0,
     "mixup: lambda is Beta(alpha, alpha); 0 is off"},
    {"data.mix.cutmix_alpha", CONFIG_FLOAT, "0", 0, 1000, NULL, 0,
     "cutmix: lambda is Beta(alpha, alpha); 0 is off; with mixup on, each draw takes one of them"},
    {"data.mix.scope", CONFIG_CHOICE, "batch", 0, 0, scope_choice, 0,
     "what one draw of mixup or cutmix, lambda and box applies to"},
    {"data.mix.pairing", CONFIG_CHOICE, "roll", 0, 0, pairing_choice, 0,
     "which two samples of a batch are mixed"},
    {"data.mix.smooth", CONFIG_BOOL, "false", 0, 0, NULL, 0,
     "mixed labels are smoothed by train.label_smoothing first (the authors leave them)"},
    {"data.erase.probability", CONFIG_FLOAT, "0", 0, 1, NULL, 0,
     "random erasing: chance that a rectangle becomes the mean colour; 0 is off"},
    {"data.erase.scope", CONFIG_CHOICE, "batch", 0, 0, scope_choice, 0,
     "what one draw of random erasing applies to"},
    {"data.erase.scale", CONFIG_FLOATS, "[0.02, 0.33]", 1e-6, 1, NULL, 0,
     "random erasing: range of the share of the area"},
    {"data.erase.ratio", CONFIG_FLOATS, "[0.3, 3.3]", 1e-3, 1e3, NULL, 0,
     "random erasing: range of height / width"},
    {0}};

int mix_init(struct mix *m, const struct config *c, struct error *err)
{
    m->mixup_alpha = config_float(c, "data.mix.mixup_alpha");
    m->cutmix_alpha = config_float(c, "data.mix.cutmix_alpha");
    m->pairing = (enum mix_pairing)(config_choice(c, "data.mix.pairing") - pairings);
    m->scope = (enum mix_scope)(config_choice(c, "data.mix.scope") - scopes);
    m->smoothing = config_bool(c, "data.mix.smooth") ? config_float(c, "train.label_smoothing") : 0;
    m->erase_probability = config_float(c, "data.erase.probability");
    m->erase_scope = (enum mix_scope)(config_choice(c, "data.erase.scope") - scopes);
    if (config_range(c, "data.erase.scale", m->erase_scale, err))
        return -1;
    return config_range(c, "data.erase.ratio", m->erase_ratio, err);
}

int mix_has_targets(const struct mix *m)
{
    return m->mixup_alpha > 0 || m->cutmix_alpha > 0;
}

int mix_has_both(const struct mix *m)
{
    return m->mixup_alpha > 0 && m->cutmix_alpha > 0;
}

int mix_is_on(const struct mix *m)
{
    return mix_has_targets(m) || m->erase_probability > 0;
}

void mix_plan_init(struct mix_plan *p, int batch)
{
    *p = (struct mix_plan){.draw = mem_zalloc((size_t)batch, sizeof *p->draw)};
    mix_plan_all(p, batch, (struct mix_draw){.lambda = 1});
    p->partner = mem_zalloc((size_t)batch, sizeof *p->partner);
    p->erased = mem_zalloc((size_t)batch, sizeof *p->erased);
}

void mix_plan_all(struct mix_plan *p, int batch, struct mix_draw draw)
{
    for (int i = 0; i < batch; i++)
        p->draw[i] = draw;
}

void mix_plan_release(struct mix_plan *p)
{
    free(p->draw);
    free(p->partner);
    free(p->erased);
    *p = (struct mix_plan){0};
}

/* Logarithm of a Gamma(a, 1) variate: Marsaglia and Tsang (2000) for a + 1, times U^(1/a); as a
 * logarithm because for small a the power underflows. */
static double log_gamma_variate(struct rng *r, double a)
{
    double d = a + 1 - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(r), v = 1 + c * x, u = 1 - rng_uniform(r);
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + log(1 - rng_uniform(r)) / a;
    }
}

double mix_beta(struct rng *r, double alpha)
{
    double x = log_gamma_variate(r, alpha), y = log_gamma_variate(r, alpha);
    return 1 / (1 + exp(y - x));
}

static int imin(int a, int b)
{
    return a < b ? a : b;
}

static int imax(int a, int b)
{
    return a > b ? a : b;
}

struct box mix_cutmix_box(double *lambda, int cx, int cy, int height, int width)
{
    double r = 0.5 * sqrt(1 - *lambda);
    int half_w = (int)(r * width), half_h = (int)(r * height);
    int x1 = imax(cx - half_w, 0), x2 = imin(cx + half_w, width);
    int y1 = imax(cy - half_h, 0), y2 = imin(cy + half_h, height);
    *lambda = 1 - (double)(x2 - x1) * (y2 - y1) / ((double)width * height);
    return (struct box){y1, x1, y2 - y1, x2 - x1};
}

int mix_erase_size(int height, int width, double share, double aspect, int *box_height,
                   int *box_width)
{
    double area = (double)height * width * share;
    *box_height = (int)nearbyint(sqrt(area * aspect));
    *box_width = (int)nearbyint(sqrt(area / aspect));
    return *box_height < height && *box_width < width;
}

static struct box draw_erased(const struct mix *m, struct rng *r, int height, int width)
{
    double lo = log(m->erase_ratio[0]), hi = log(m->erase_ratio[1]);
    if (rng_uniform(r) >= m->erase_probability)
        return (struct box){0};
    for (int i = 0; i < 10; i++) {
        struct box b;
        double share = rng_range(r, m->erase_scale[0], m->erase_scale[1]);
        double aspect = exp(rng_range(r, lo, hi));
        if (!mix_erase_size(height, width, share, aspect, &b.height, &b.width))
            continue;
        b.top = (int)rng_below(r, height - b.height + 1);
        b.left = (int)rng_below(r, width - b.width + 1);
        return b;
    }
    return (struct box){0};
}

static void draw_partners(const struct mix *m, struct rng *r, int batch, int32_t *partner)
{
    if (m->pairing == MIX_PERMUTATION)
        rng_permutation(r, partner, batch);
    else
        for (int i = 0; i < batch; i++)
            partner[i] = m->pairing == MIX_FLIP ? batch - 1 - i : (i + batch - 1) % batch;
}

static enum mix_kind draw_kind(const struct mix *m, struct rng *r)
{
    if (mix_has_both(m))
        return rng_u32(r) >> 31 ? MIX_CUTMIX : MIX_MIXUP;
    return m->mixup_alpha > 0 ? MIX_MIXUP : m->cutmix_alpha > 0 ? MIX_CUTMIX : MIX_NONE;
}

static struct mix_draw draw_share(const struct mix *m, struct rng *r, enum mix_kind kind,
                                  int height, int width)
{
    struct mix_draw d = {.kind = kind, .lambda = 1};
    if (kind != MIX_NONE)
        d.lambda = mix_beta(r, kind == MIX_MIXUP ? m->mixup_alpha : m->cutmix_alpha);
    if (kind == MIX_CUTMIX) {
        int cx = (int)rng_below(r, width), cy = (int)rng_below(r, height);
        d.box = mix_cutmix_box(&d.lambda, cx, cy, height, width);
    }
    return d;
}

void mix_plan_draw(const struct mix *m, uint64_t seed, uint64_t epoch, uint64_t number, int batch,
                   int height, int width, struct mix_plan *p)
{
    struct rng r;
    rng_init(&r, seed, "erase", epoch, number);
    for (int i = 0; i < batch; i++)
        p->erased[i] =
            i && m->erase_scope == MIX_BATCH ? p->erased[0] : draw_erased(m, &r, height, width);
    rng_init(&r, seed, "mix", epoch, number);
    enum mix_kind first = draw_kind(m, &r);
    draw_partners(m, &r, batch, p->partner);
    mix_plan_all(p, batch, draw_share(m, &r, first, height, width));
    for (int i = 1; i < batch && m->scope == MIX_SAMPLE; i++)
        p->draw[i] = draw_share(m, &r, draw_kind(m, &r), height, width);
}

void mix_plan_mean(const struct mix_plan *p, int batch, struct mix_mean *mean)
{
    *mean = (struct mix_mean){0};
    for (int i = 0; i < batch; i++) {
        mean->lambda += p->draw[i].lambda;
        mean->cutmix += p->draw[i].kind == MIX_CUTMIX;
    }
    mean->lambda /= batch;
    mean->cutmix /= batch;
}

/* The part of b's columns in row y that lies in from .. to-1: empty where *begin is *end. */
static void span_of(struct box b, int y, int from, int to, int *begin, int *end)
{
    int has_row = y >= b.top && y < b.top + b.height;
    *begin = has_row ? imin(imax(b.left, from), to) : from;
    *end = has_row ? imax(imin(b.left + b.width, to), *begin) : from;
}

/* Columns from .. to-1 of a row that is erased in `erased`. */
static void copy_part(const float *in, struct box erased, int y, int from, int to, float *out)
{
    int begin, end;
    span_of(erased, y, from, to, &begin, &end);
    memcpy(out + from, in + from, (size_t)(to - from) * sizeof *out);
    memset(out + begin, 0, (size_t)(end - begin) * sizeof *out);
}

VECTOR_CLONES static void scale(const float *in, float weight, int n, float *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] = in[x] * weight;
}

VECTOR_CLONES static void add_scaled(const float *in, float weight, int n, float *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] += in[x] * weight;
}

static void mixup_row(const struct mix_draw *d, struct box own, struct box other, int y, int width,
                      const float *a, const float *b, float *out)
{
    float rest = (float)(1 - d->lambda);
    int begin, end;
    scale(a, (float)d->lambda, width, out);
    span_of(own, y, 0, width, &begin, &end);
    memset(out + begin, 0, (size_t)(end - begin) * sizeof *out);
    span_of(other, y, 0, width, &begin, &end);
    add_scaled(b, rest, begin, out);
    add_scaled(b + end, rest, width - end, out + end);
}

static void mix_row(const struct mix_draw *d, struct box own, struct box other, int y, int width,
                    const float *a, const float *b, float *out)
{
    int begin, end;
    if (d->kind == MIX_MIXUP) {
        mixup_row(d, own, other, y, width, a, b, out);
        return;
    }
    copy_part(a, own, y, 0, width, out);
    if (d->kind != MIX_CUTMIX)
        return;
    span_of(d->box, y, 0, width, &begin, &end);
    copy_part(b, other, y, begin, end, out);
}

void mix_apply(const struct mix_plan *p, int batch, int channels, int height, int width,
               const float *images, float *out)
{
    size_t plane = (size_t)height * (size_t)width, image = plane * (size_t)channels;
    for (int i = 0; i < batch; i++) {
        int j = p->draw[i].kind == MIX_NONE ? i : p->partner[i];
        const float *a = images + (size_t)i * image, *b = images + (size_t)j * image;
        for (int c = 0; c < channels; c++)
            for (int y = 0; y < height; y++) {
                size_t at = (size_t)c * plane + (size_t)y * (size_t)width;
                mix_row(&p->draw[i], p->erased[i], p->erased[j], y, width, a + at, b + at,
                        out + (size_t)i * image + at);
            }
    }
}

void mix_targets(const struct mix_plan *p, const int32_t *labels, int batch, int classes,
                 double smoothing, float *targets)
{
    double own = 1 - smoothing;
    for (int64_t i = 0; i < (int64_t)batch * classes; i++)
        targets[i] = (float)(smoothing / classes);
    for (int i = 0; i < batch; i++) {
        float *row = targets + (size_t)i * (size_t)classes;
        const struct mix_draw *d = &p->draw[i];
        int j = d->kind == MIX_NONE ? i : p->partner[i];
        row[labels[i]] += (float)(own * d->lambda);
        row[labels[j]] += (float)(own * (1 - d->lambda));
    }
}
