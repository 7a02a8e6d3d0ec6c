/* Golden files about segmentation beside its models: which check each kind has, and where windows
 * lie. */
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"
#include "train/slide.h"

#include <stdlib.h>
#include <string.h>

/* A row is height, width, crop, crop, stride, stride and one window; windows of a size follow each
 * other in the order of evaluation. */
static int check_windows(struct comparison *c, const struct safetensors *f, const json_t *json,
                         struct error *err)
{
    enum { COLUMNS = 10 };
    int64_t n = 0;
    (void)json;
    double *rows = golden_values(f, "h_w_ch_cw_sh_sw_y1_x1_y2_x2", &n, err);
    double *got = rows ? mem_alloc(sizeof *got * (size_t)n) : NULL;
    if (!rows)
        return -1;
    memcpy(got, rows, sizeof *got * (size_t)n);
    for (int64_t r = 0; r < n / COLUMNS;) {
        const double *row = rows + r * COLUMNS;
        int height = (int)row[0], width = (int)row[1], window[2] = {(int)row[2], (int)row[3]};
        int stride[2] = {(int)row[4], (int)row[5]}, cols = slide_count(width, window[1], stride[1]);
        int windows = cols * slide_count(height, window[0], stride[0]);
        for (int i = 0; i < windows && r < n / COLUMNS; i++, r++) {
            struct slide_span y = slide_span(i / cols, height, window[0], stride[0]);
            struct slide_span x = slide_span(i % cols, width, window[1], stride[1]);
            double *out = got + r * COLUMNS;
            memcpy(out, row, 6 * sizeof *out);
            out[6] = y.start;
            out[7] = x.start;
            out[8] = y.start + y.length;
            out[9] = x.start + x.length;
        }
    }
    int rc = segment_compare(c, f, "h_w_ch_cw_sh_sw_y1_x1_y2_x2", got, n, 0, err);
    free(rows);
    free(got);
    return rc;
}

typedef int host_check(struct comparison *c, const struct safetensors *f, const json_t *json,
                       struct error *err);

static void on_host(struct selftest *t, const char *name, const struct safetensors *f,
                    const json_t *json, host_check *check)
{
    struct comparison c = {0};
    struct error err = {0};
    int rc = check(&c, f, json, &err);
    golden_verdict(t, name, "host", rc, &c, &err);
}

static void run_cv2(struct selftest *t, const char *name, const struct safetensors *f, json_t *json)
{
    on_host(t, name, f, json, segment_check_cv2);
}

static void run_windows(struct selftest *t, const char *name, const struct safetensors *f,
                        json_t *json)
{
    on_host(t, name, f, json, check_windows);
}

static void run_miou(struct selftest *t, const char *name, const struct safetensors *f,
                     json_t *json)
{
    on_host(t, name, f, json, segment_check_miou);
}

const struct golden_kind golden_segment_kinds[] = {
    {"seg_cv2", run_cv2},   {"seg_slide", run_windows},
    {"seg_miou", run_miou}, {"seg_resize_loss", segment_check_loss},
    {NULL, NULL},
};

int golden_segment(struct selftest *t, const char *name, const struct safetensors *file)
{
    json_t *config = golden_json(file);
    const char *task = json_string_value(json_object_get(config, "task"));
    int known = 1;
    if (task && !strcmp(task, "miou"))
        on_host(t, name, file, config, segment_check_miou_step);
    else if (task && !strcmp(task, "sliding_window"))
        segment_check_slide(t, name, file, config);
    else
        known = 0;
    json_decref(config);
    return known;
}
