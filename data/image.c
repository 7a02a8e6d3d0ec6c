/* Image buffers. */
#include "data/image.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

void image_resize_buffer(struct image *im, int width, int height)
{
    ASSERT(width > 0 && height > 0 && (int64_t)width * height <= IMAGE_MAX_PIXELS);
    size_t bytes = (size_t)width * (size_t)height * 3;
    if (bytes > im->capacity) {
        free(im->rgb);
        im->rgb = mem_alloc(bytes);
        im->capacity = bytes;
    }
    im->width = width;
    im->height = height;
}

void image_release(struct image *im)
{
    free(im->rgb);
    *im = (struct image){0};
}

struct image_view image_view(const struct image *im)
{
    return (struct image_view){im->rgb, im->width, im->height, 3, 1, (ptrdiff_t)im->width * 3, 3};
}
