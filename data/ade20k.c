#include "data/ade20k.h"

#include "base/error.h"
#include "data/codec.h"
#include "data/dataset.h"

int ade20k_read_mask(const char *path, struct image *out, struct error *err)
{
    if (codec_load_labels(path, out, err))
        return -1;
    size_t n = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < n; i++) {
        int v = out->rgb[i];
        if (v > ADE20K_CLASSES && v != DATASET_IGNORE)
            return error_env(
                err, "%s: label %d at row %d, column %d (ADE20K has 1 to %d, 0 and 255 for none)",
                path, v, (int)(i / (size_t)out->width), (int)(i % (size_t)out->width),
                ADE20K_CLASSES);
        out->rgb[i] = (unsigned char)(v == 0 || v == DATASET_IGNORE ? DATASET_IGNORE : v - 1);
    }
    return 0;
}
