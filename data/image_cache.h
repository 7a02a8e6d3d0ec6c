/* Decoded images in memory (data.cache). Images go in when they are first read, by any number of
 * threads at once, until the limit is reached; what is in stays. Pixels are the same with and
 * without, so nothing that is computed depends on it. */
#ifndef DATA_IMAGE_CACHE_H
#define DATA_IMAGE_CACHE_H

#include <stdint.h>

#include "base/config.h"
#include "data/image.h"

struct image_cache;

/* A row of the table of a kind that reads image files. */
#define IMAGE_CACHE_KEY                                                                            \
    {                                                                                              \
        "data.cache", CONFIG_CHOICE, "none", 0, 0, image_cache_choice, CONFIG_UNHASHED,            \
            "what of the images is kept in memory"                                                 \
    }
const struct config_choice *image_cache_choice(int i);

/* For n images, as the configuration says; NULL: none is kept. */
struct image_cache *image_cache_new(const struct config *c, int64_t n);
void image_cache_free(struct image_cache *cache); /* NULL is fine */

/* Image i, which lives as long as the cache; 0 where it is not in. */
int image_cache_find(const struct image_cache *cache, int64_t i, struct image_view *view);
/* Copies it, if it fits. */
void image_cache_add(struct image_cache *cache, int64_t i, const struct image *im);

#endif
