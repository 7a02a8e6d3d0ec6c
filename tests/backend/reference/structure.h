/* Ops that move values, and sparse maps. */
#include "tests/backend/reference/shared.h"

static void REF(reshape)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memcpy(out[0], in[0], sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
}

static void REF(slice)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct range_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < a->b; i++)
            for (int64_t j = 0; j < v.inner; j++)
                out[0][(o * a->b + i) * v.inner + j] = in[0][(o * v.size + a->a + i) * v.inner + j];
}

static void REF(pad)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct range_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    int64_t size = v.size + a->a + a->b;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < size; i++)
            for (int64_t j = 0; j < v.inner; j++) {
                int64_t from = i - a->a;
                out[0][(o * size + i) * v.inner + j] =
                    from < 0 || from >= v.size ? 0 : in[0][(o * v.size + from) * v.inner + j];
            }
}

static void REF(concat)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) w = REF(view)(n->out[0]->shape, a->axis, 1);
    int64_t start = 0;
    for (int k = 0; k < n->n_in; k++) {
        struct REF(view) v = REF(view)(n->in[k]->shape, a->axis, 1);
        for (int64_t o = 0; o < v.outer; o++)
            for (int64_t i = 0; i < v.size * v.inner; i++)
                out[0][o * w.size * w.inner + start * w.inner + i] =
                    in[k][o * v.size * v.inner + i];
        start += v.size;
    }
}

static void REF(repeat)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    int64_t count = shape_count(n->in[0]->shape), all = shape_count(n->out[0]->shape);
    for (int64_t i = 0; i < all; i++)
        out[0][i] = in[0][i % count];
}

static void REF(swap)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct axis_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    int64_t m = n->in[0]->shape.dim[a->axis + 1], inner = v.inner / m;
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.size; i++)
            for (int64_t j = 0; j < m; j++)
                for (int64_t k = 0; k < inner; k++)
                    out[0][((o * m + j) * v.size + i) * inner + k] =
                        in[0][((o * v.size + i) * m + j) * inner + k];
}

/* Copies every pixel of a batch to its place in the tokens, or back. */
static void REF(patches)(const struct node *n, REF_REAL *image, REF_REAL *tokens, int to_tokens)
{
    const struct patch_attr *a = n->attr;
    int64_t p = a->patch, gh = a->height / p, gw = a->width / p, element = 0;
    for (int64_t b = 0; b < n->in[0]->shape.dim[0]; b++)
        for (int64_t y = 0; y < gh; y++)
            for (int64_t x = 0; x < gw; x++)
                for (int64_t ch = 0; ch < a->channels; ch++)
                    for (int64_t i = 0; i < p; i++)
                        for (int64_t j = 0; j < p; j++, element++) {
                            int64_t pixel =
                                ((b * a->channels + ch) * a->height + y * p + i) * a->width +
                                x * p + j;
                            if (to_tokens)
                                tokens[element] = image[pixel];
                            else
                                image[pixel] = tokens[element];
                        }
}

static void REF(patchify)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(patches)(n, in[0], out[0], 1);
}

static void REF(levels)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const int64_t *dim = n->in[0]->shape.dim;
    const uint8_t *image = (const uint8_t *)in[0];
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++)
        out[0][i] = in[1][i / (dim[2] * dim[3]) % dim[1] * 256 + image[i]];
}

static void REF(patch_levels)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF_REAL *values = mem_alloc(sizeof *values * (size_t)shape_count(n->in[0]->shape));
    REF(levels)(n, in, &values);
    REF(patches)(n, values, out[0], 1);
    free(values);
}

static int REF(in_box)(const REF_REAL *box, int64_t y, int64_t x)
{
    return (REF_REAL)y >= box[0] && (REF_REAL)y < box[0] + box[2] && (REF_REAL)x >= box[1] &&
           (REF_REAL)x < box[1] + box[3];
}

static void REF(mix)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const int64_t *dim = n->in[0]->shape.dim, image = dim[1] * dim[2] * dim[3];
    for (int64_t i = 0; i < shape_count(n->in[0]->shape); i++) {
        const REF_REAL *row = in[1] + i / image * MIXED_FIELDS;
        int64_t partner = (int64_t)row[MIXED_PARTNER], y = i / dim[3] % dim[2], x = i % dim[3];
        const REF_REAL *other = in[1] + partner * MIXED_FIELDS;
        REF_REAL v = REF(in_box)(row + MIXED_ERASED, y, x) ? 0 : in[0][i];
        int gone = REF(in_box)(other + MIXED_ERASED, y, x);
        REF_REAL u = gone ? 0 : in[0][partner * image + i % image];
        if (row[MIXED_SUM] != 0)
            out[0][i] = row[MIXED_OWN] * v + (gone ? 0 : row[MIXED_OTHER] * u);
        else
            out[0][i] = REF(in_box)(row + MIXED_BOX, y, x) ? u : v;
    }
}

static void REF(patch_mix)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    size_t bytes = sizeof(REF_REAL) * (size_t)shape_count(n->in[0]->shape);
    REF_REAL *values = mem_alloc(bytes), *mixed = mem_alloc(bytes);
    if (n->n_in == 3)
        REF(levels)(n, (REF_REAL *[]){in[0], in[2]}, &values);
    else
        memcpy(values, in[0], bytes);
    REF(mix)(n, (REF_REAL *[]){values, in[1]}, &mixed);
    REF(patches)(n, mixed, out[0], 1);
    free(values);
    free(mixed);
}

static void REF(unpatchify)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(patches)(n, out[0], in[0], 0);
}

static void REF(resample)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct resample_attr *a = n->attr;
    const struct mixing *m = a->forward;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < m->n_out; i++)
            for (int64_t j = 0; j < v.inner; j++) {
                REF_REAL sum = 0;
                for (int32_t k = m->start[i]; k < m->start[i + 1]; k++)
                    sum += (REF_REAL)m->weight[k] * in[0][(o * v.size + m->index[k]) * v.inner + j];
                out[0][(o * m->n_out + i) * v.inner + j] = sum;
            }
}

/* Copies window values to their rows, or adds them back to the grid. */
static void REF(windows)(const struct node *n, REF_REAL *grid, REF_REAL *rows, int64_t batch,
                         int back)
{
    const struct unfold_attr *a = n->attr;
    int64_t element = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t oy = 0; oy < a->out_height; oy++)
            for (int64_t ox = 0; ox < a->out_width; ox++)
                for (int64_t ch = 0; ch < a->channels; ch++)
                    for (int64_t k = 0; k < a->kernel * a->kernel; k++, element++) {
                        int64_t y = oy * a->stride - a->pad + k / a->kernel;
                        int64_t x = ox * a->stride - a->pad + k % a->kernel;
                        int inside = y >= 0 && x >= 0 && y < a->height && x < a->width;
                        int64_t at = a->tokens
                                         ? ((b * a->height + y) * a->width + x) * a->channels + ch
                                         : ((b * a->channels + ch) * a->height + y) * a->width + x;
                        if (!back)
                            rows[element] = inside ? grid[at] : 0;
                        else if (inside)
                            grid[at] += rows[element];
                    }
}

static void REF(unfold)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(windows)(n, in[0], out[0], n->in[0]->shape.dim[0], 0);
}

static void REF(fold)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memset(out[0], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
    REF(windows)(n, out[0], in[0], n->in[0]->shape.dim[0], 1);
}

/* Rows move along an axis to the places that assign (B,N) names, or back. */
static void REF(moves)(const struct node *n, REF_REAL *const *in, REF_REAL *y, int back)
{
    const struct assign_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    const int32_t *assign = (const int32_t *)(void *)in[1];
    int64_t length = n->in[1]->shape.dim[1], out = n->out[0]->shape.dim[a->axis];
    int64_t group = v.outer / n->in[0]->shape.dim[0];
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t t = 0; t < length; t++)
            for (int64_t i = 0; i < v.inner; i++) {
                int64_t place = assign[o / group * length + t];
                if (back)
                    y[(o * out + t) * v.inner + i] = in[0][(o * v.size + place) * v.inner + i];
                else
                    y[(o * out + place) * v.inner + i] += in[0][(o * v.size + t) * v.inner + i];
            }
}

static void REF(scatter_rows)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    memset(out[0], 0, sizeof(REF_REAL) * (size_t)shape_count(n->out[0]->shape));
    REF(moves)(n, in, out[0], 0);
}

static void REF(scatter_max)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct assign_attr *a = n->attr;
    struct REF(view) v = REF(view)(n->in[0]->shape, a->axis, 1);
    const int32_t *assign = (const int32_t *)(void *)in[1];
    int64_t length = n->in[1]->shape.dim[1], count = n->out[0]->shape.dim[a->axis];
    int64_t group = v.outer / n->in[0]->shape.dim[0];
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t place = 0; place < count; place++)
            for (int64_t i = 0; i < v.inner; i++) {
                REF_REAL *y = &out[0][(o * count + place) * v.inner + i];
                int rows = 0;
                *y = 0;
                for (int64_t t = 0; t < length; t++) {
                    REF_REAL x = in[0][(o * v.size + t) * v.inner + i];
                    if (assign[o / group * length + t] == place && (!rows++ || x > *y))
                        *y = x;
                }
            }
}

static void REF(gather_rows)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    REF(moves)(n, in, out[0], 1);
}
