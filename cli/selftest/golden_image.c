/* Golden files about images: decoding, resampling, geometry of crops, each through the code that
 * the input pipeline uses. */
#include "base/memory.h"
#include "cli/selftest/golden_case.h"
#include "data/codec.h"
#include "data/geometry.h"
#include "data/resize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- decoding -------------------------------------------------------------------------------- */

static int check_codec(struct golden_case *g)
{
    const struct safetensors_tensor *bytes = case_tensor(g, "bytes");
    struct image im = {0};
    int rc = !bytes || codec_decode(bytes->data, bytes->bytes, g->file->path, &im, g->err);
    if (!rc)
        rc = case_compare_bytes(g, "rgb", im.rgb, (int64_t)im.width * im.height * 3);
    image_release(&im);
    return rc ? -1 : 0;
}

/* ---- resampling ------------------------------------------------------------------------------ */

static int check_resized(struct golden_case *g, const struct image_view *v, const char *name,
                         enum resize_filter filter)
{
    const struct safetensors_tensor *t = case_tensor(g, name);
    unsigned char *out = mem_alloc((size_t)t->count + 1);
    int height = (int)t->dim[0], width = (int)t->dim[1];
    resize_u8(v, width, height, (struct box){0, 0, height, width}, filter, out);
    int rc = case_compare_bytes(g, name, out, t->count);
    free(out);
    return rc;
}

static int check_pil_resize(struct golden_case *g)
{
    const char *filter = json_string_value(json_object_get(g->json, "filter"));
    const struct safetensors_tensor *image = case_tensor(g, "image");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++) {
        const char *name = g->file->tensors[i].name;
        if (!strcmp(name, "image"))
            continue;
        struct image_view v = case_stored_view(image);
        rc = check_resized(g, &v, name,
                           strncmp(filter ? filter : name, "bicubic", 7) ? RESIZE_BILINEAR
                                                                         : RESIZE_BICUBIC);
    }
    return rc;
}

static int check_geometry(struct golden_case *g)
{
    const struct safetensors_tensor *t = case_tensor(g, "h_w_S_C_nh_nw_top_left");
    if (!t)
        return -1;
    double *x = case_doubles(t);
    for (int64_t i = 0; i < t->dim[0]; i++) {
        const double *row = x + i * 8;
        int h, w;
        geometry_short_side((int)row[0], (int)row[1], (int)row[2], &h, &w);
        case_compare_number(g, "height", h, row[4], 0);
        case_compare_number(g, "width", w, row[5], 0);
        case_compare_number(g, "top", geometry_center(h, (int)row[3]), row[6], 0);
        case_compare_number(g, "left", geometry_center(w, (int)row[3]), row[7], 0);
    }
    free(x);
    return 0;
}

static int check_rrc_tensor(struct golden_case *g)
{
    static const char *const names[] = {"bilinear", "bicubic"};
    const json_t *boxes = json_object_get(g->json, "boxes");
    const struct safetensors_tensor *image = case_tensor(g, "image_u8");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < 2 * json_array_size(boxes) && !rc; i++) {
        const json_t *o = json_array_get(boxes, i / 2);
        struct box b = {(int)golden_number(o, "top"), (int)golden_number(o, "left"),
                        (int)golden_number(o, "h"), (int)golden_number(o, "w")};
        struct image_view v = case_planar_view(image);
        int size = (int)golden_number(o, "size");
        char name[64];
        snprintf(name, sizeof name, "box%d.%s_aa", (int)(i / 2), names[i % 2]);
        float *x = case_cropped(&v, b, size, i % 2 ? RESIZE_BICUBIC : RESIZE_BILINEAR);
        rc =
            case_compare(g, name, x, 3 * size * size, (struct golden_allowance){.tolerance = 5e-6});
        free(x);
    }
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

GOLDEN_RUN(codec)
GOLDEN_RUN(pil_resize)
GOLDEN_RUN(geometry)
GOLDEN_RUN(rrc_tensor)

const struct golden_kind golden_image_kinds[] = {
    {"jpeg", run_codec},
    {"png", run_codec},
    {"pil_resize", run_pil_resize},
    {"pil_resize_gray", run_pil_resize},
    {"resize_crop_geometry", run_geometry},
    {"rrc_tensor", run_rrc_tensor},
    {NULL, NULL},
};
