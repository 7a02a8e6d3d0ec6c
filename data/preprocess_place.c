/* Where a sample lies in its image: every random number of the geometry is drawn here, in one
 * order. */
#include "data/preprocess_internal.h"

#include <math.h>

#include "base/rng.h"
#include "data/geometry.h"

struct box preprocess_rrc_box(const struct preprocess *p, int height, int width, struct rng *r)
{
    double lo = log(p->ratio[0]), hi = log(p->ratio[1]);
    for (int i = 0; i < 10; i++) {
        struct box b;
        double share = rng_range(r, p->scale[0], p->scale[1]);
        double aspect = exp(rng_range(r, lo, hi));
        if (!geometry_rrc_size(height, width, share, aspect, &b.height, &b.width))
            continue;
        b.top = (int)rng_below(r, height - b.height + 1);
        b.left = (int)rng_below(r, width - b.width + 1);
        return b;
    }
    return geometry_rrc_fallback(height, width, p->ratio[0], p->ratio[1]);
}

static struct placement place_center(int height, int width, int size, int shorter)
{
    struct placement at = {.source = {0, 0, height, width}, .height = height, .width = width};
    if ((height < width ? height : width) != shorter)
        geometry_short_side(height, width, shorter, &at.height, &at.width);
    at.top = geometry_center(at.height, size);
    at.left = geometry_center(at.width, size);
    at.valid = (struct box){0, 0, at.height, at.width};
    return at;
}

/* The centre is cut out before it is padded: the padding is black on all sides. */
static void shift(struct placement *at, int size, int pad, struct rng *r)
{
    int x0, x1, y0, y1;
    preprocess_clip(at->top, 0, at->height, size, &y0, &y1);
    preprocess_clip(at->left, 0, at->width, size, &x0, &x1);
    at->valid = (struct box){at->top + y0, at->left + x0, y1 - y0, x1 - x0};
    at->top += (int)rng_below(r, 2 * pad + 1) - pad;
    at->left += (int)rng_below(r, 2 * pad + 1) - pad;
}

struct placement preprocess_place(const struct preprocess *p, int height, int width, int size,
                                  struct rng *r)
{
    struct placement at;
    if (!r)
        return place_center(height, width, size, (int)floor(size / p->eval_crop_ratio + 1e-9));
    if (p->crop == CROP_RRC) {
        at = (struct placement){.source = preprocess_rrc_box(p, height, width, r),
                                .valid = {0, 0, size, size},
                                .height = size,
                                .width = size,
                                .is_rrc = 1};
    } else {
        at = place_center(height, width, size, size);
        if (p->crop == CROP_PAD)
            shift(&at, size, p->pad, r);
    }
    at.is_mirrored = p->flip && rng_u32(r) >> 31;
    return at;
}

/* What outputs first .. first+n-1 of `size` are resampled from, of `in` samples. */
static void source_range(int first, int n, int size, int in, int *from, int *count)
{
    double scale = (double)in / size, reach = RESIZE_REACH * (scale > 1 ? scale : 1) + 1;
    *from = preprocess_clamp((int)floor(first * scale - reach), 0, in);
    *count = preprocess_clamp((int)ceil((first + n) * scale + reach), 0, in) - *from;
}

struct box preprocess_window(const struct preprocess *p, int width, int height, int size,
                             const struct rng *r)
{
    struct rng copy;
    struct box b = {0, 0, height, width};
    if (r)
        copy = *r;
    if (r && p->crop == CROP_SCENE)
        return b;
    struct placement at = preprocess_place(p, height, width, size, r ? &copy : NULL);
    if (at.is_rrc)
        return at.source;
    if (!r) {
        source_range(at.top, size, at.height, height, &b.top, &b.height);
        source_range(at.left, size, at.width, width, &b.left, &b.width);
    }
    return b;
}
