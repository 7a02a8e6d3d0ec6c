#include "data/mask.h"

#include "base/error.h"
#include "data/dataset.h"

static int bad_value(const char *path, const struct mask_rule *r, int value, size_t row,
                     size_t column, struct error *err)
{
    return error_env(err, "%s: label %d at row %zu, column %zu (%s has %d to %d, %s for none)",
                     path, value, row, column, r->set, r->zero_is_none,
                     r->classes - !r->zero_is_none, r->zero_is_none ? "0 and 255" : "255");
}

/* Each value of a byte becomes a label, or -1. */
static void fill_table(const struct mask_rule *r, int table[256])
{
    for (int v = 0; v < 256; v++) {
        int label = v - (r->zero_is_none != 0);
        table[v] = label >= 0 && label < r->classes ? label : -1;
    }
    if (r->zero_is_none)
        table[0] = DATASET_IGNORE;
    table[255] = DATASET_IGNORE;
}

int mask_read(const char *path, const struct mask_rule *rule, struct image *out, struct error *err)
{
    int table[256];
    if (codec_load_labels(path, rule->labels, out, err))
        return -1;
    fill_table(rule, table);
    size_t width = (size_t)out->width, n = width * (size_t)out->height;
    for (size_t i = 0; i < n; i++) {
        int v = out->rgb[i];
        if (table[v] < 0)
            return bad_value(path, rule, v, i / width, i % width, err);
        out->rgb[i] = (unsigned char)table[v];
    }
    return 0;
}
