/* Golden files about mixing: drawn rectangles, and batches that are mixed or erased. */
#include "base/memory.h"
#include "cli/selftest/golden_case.h"
#include "data/geometry.h"
#include "data/mix.h"

#include <stdlib.h>

/* ---- drawn rectangles ------------------------------------------------------------------------ */

typedef int try_size(int height, int width, double share, double aspect, int *h, int *w);

/* Row by row: the first of ten draws that is accepted, and its place. */
static int check_draws(struct golden_case *g, try_size *accept, int is_rrc)
{
    static const char *const names[] = {"H_W",    "area_frac", "aspect",
                                        "u_left", "u_top",     "top_left_h_w_try"};
    double *x[6] = {0};
    int64_t rows = 0;
    int rc = 0;
    for (int i = 0; i < 6 && !rc; i++) {
        const struct safetensors_tensor *t = case_tensor(g, names[i]);
        rc = t ? 0 : -1;
        x[i] = t ? case_doubles(t) : NULL;
        rows = t ? t->dim[0] : 0;
    }
    for (int64_t i = 0; i < rows && !rc; i++) {
        int height = (int)x[0][2 * i], width = (int)x[0][2 * i + 1], found = -1;
        const double *want = x[5] + 5 * i;
        struct box b = {0};
        for (int k = 0; k < 10 && found < 0; k++) {
            int64_t at = 10 * i + k;
            if (!accept(height, width, x[1][at], x[2][at], &b.height, &b.width))
                continue;
            found = k;
            b.top = (int)(x[4][at] * (height - b.height + 1));
            b.left = (int)(x[3][at] * (width - b.width + 1));
        }
        if (found < 0)
            b = is_rrc ? geometry_rrc_fallback(height, width, 3.0 / 4, 4.0 / 3) : (struct box){0};
        case_compare_number(g, "try", found, want[4], 0);
        if (found < 0 && !is_rrc)
            continue;
        case_compare_number(g, "top", b.top, want[0], 0);
        case_compare_number(g, "left", b.left, want[1], 0);
        case_compare_number(g, "height", b.height, want[2], 0);
        case_compare_number(g, "width", b.width, want[3], 0);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}

static int check_rrc_params(struct golden_case *g)
{
    return check_draws(g, geometry_rrc_size, 1);
}

static int check_erase_params(struct golden_case *g)
{
    return check_draws(g, mix_erase_size, 0);
}

static int check_cutmix_boxes(struct golden_case *g)
{
    const struct safetensors_tensor *boxes = case_tensor(g, "W_H_rx_ry_x1_y1_x2_y2"),
                                    *lambdas = case_tensor(g, "lam_lamadj");
    if (!boxes || !lambdas)
        return -1;
    double *x = case_doubles(boxes), *l = case_doubles(lambdas);
    for (int64_t i = 0; i < boxes->dim[0]; i++) {
        const double *row = x + 8 * i;
        double lambda = l[2 * i];
        struct box b = mix_cutmix_box(&lambda, (int)row[2], (int)row[3], (int)row[1], (int)row[0]);
        case_compare_number(g, "x1", b.left, row[4], 0);
        case_compare_number(g, "y1", b.top, row[5], 0);
        case_compare_number(g, "x2", b.left + b.width, row[6], 0);
        case_compare_number(g, "y2", b.top + b.height, row[7], 0);
        case_compare_number(g, "lambda", lambda, l[2 * i + 1], 1e-12);
    }
    free(x);
    free(l);
    return 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Follows p with the file's images and compares; labels too where there are any. */
static int follow(struct golden_case *g, struct mix_plan *p,
                  const struct safetensors_tensor *images, double tolerance)
{
    int batch = (int)images->dim[0], classes = (int)golden_number(g->json, "num_classes");
    float *in = case_floats(images), *out = mem_alloc(sizeof *out * (size_t)(images->count + 1));
    mix_apply(p, batch, (int)images->dim[1], (int)images->dim[2], (int)images->dim[3], in, out);
    int rc = case_compare(g, "out_images", out, images->count,
                          (struct golden_allowance){.tolerance = tolerance});
    free(in);
    free(out);
    const struct safetensors_tensor *t = safetensors_find(g->file, "labels");
    if (rc || !t)
        return rc;
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)(t->count + 1));
    float *targets = mem_alloc(sizeof *targets * (size_t)(batch * classes + 1));
    rc = safetensors_read_int32(t, labels, g->err);
    if (!rc) {
        mix_targets(p, labels, batch, classes, 0, targets);
        rc = case_compare(g, "out_targets", targets, batch * classes,
                          (struct golden_allowance){.tolerance = 1e-6});
    }
    free(labels);
    free(targets);
    return rc;
}

static int check_mix(struct golden_case *g)
{
    const struct safetensors_tensor *images = case_tensor(g, "images"),
                                    *perm = case_tensor(g, "perm");
    const json_t *b = json_object_get(g->json, "box_x1y1x2y2");
    struct mix_plan p;
    if (!images || !perm || perm->count != images->dim[0])
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    struct mix_draw draw = {.kind = b ? MIX_CUTMIX : MIX_MIXUP,
                            .lambda = golden_number(g->json, b ? "lam_adjusted" : "lam")};
    if (b)
        draw.box = (struct box){case_element(b, 1), case_element(b, 0),
                                case_element(b, 3) - case_element(b, 1),
                                case_element(b, 2) - case_element(b, 0)};
    mix_plan_all(&p, (int)images->dim[0], draw);
    int rc = safetensors_read_int32(perm, p.partner, g->err);
    if (!rc)
        rc = follow(g, &p, images, b ? 0 : 1e-6);
    mix_plan_release(&p);
    return rc;
}

static int check_erase(struct golden_case *g)
{
    const struct safetensors_tensor *images = case_tensor(g, "images");
    struct mix_plan p;
    if (!images)
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    for (int64_t i = 0; i < images->dim[0]; i++)
        p.erased[i] =
            (struct box){(int)golden_number(g->json, "top"), (int)golden_number(g->json, "left"),
                         (int)golden_number(g->json, "h"), (int)golden_number(g->json, "w")};
    int rc = follow(g, &p, images, 0);
    mix_plan_release(&p);
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

GOLDEN_RUN(rrc_params)
GOLDEN_RUN(erase_params)
GOLDEN_RUN(cutmix_boxes)
GOLDEN_RUN(mix)
GOLDEN_RUN(erase)

const struct golden_kind golden_mix_kinds[] = {
    {"rrc_params", run_rrc_params},
    {"erase_params", run_erase_params},
    {"cutmix_box", run_cutmix_boxes},
    {"mixup", run_mix},
    {"cutmix", run_mix},
    {"erase", run_erase},
    {NULL, NULL},
};
