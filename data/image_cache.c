#include "data/image_cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct cached {
    int width, height;
    unsigned char rgb[];
};

struct image_cache {
    size_t limit;
    atomic_size_t used;
    _Atomic(struct cached *) *items;
    int64_t n;
};

static const struct config_key decoded_keys[] = {
    {"data.cache_gib", CONFIG_FLOAT, "4", 0.001, 65536, NULL, CONFIG_UNHASHED,
     "memory for decoded images, GiB; images past it are decoded anew each time"},
    {0}};

static const struct config_choice kinds[] = {
    {"none", "each image is decoded when it is read", NULL},
    {"decoded", "images stay in memory as RGB: about 0.5 MB for a photo of 500 x 375",
     decoded_keys},
};

const struct config_choice *image_cache_choice(int i)
{
    return i >= 0 && i < (int)(sizeof kinds / sizeof *kinds) ? &kinds[i] : NULL;
}

struct image_cache *image_cache_new(const struct config *c, int64_t n)
{
    if (config_choice(c, "data.cache") != &kinds[1])
        return NULL;
    struct image_cache *cache = mem_zalloc(1, sizeof *cache);
    cache->limit = (size_t)(config_float(c, "data.cache_gib") * (1 << 30));
    cache->items = mem_zalloc((size_t)n, sizeof *cache->items);
    cache->n = n;
    return cache;
}

void image_cache_free(struct image_cache *cache)
{
    if (!cache)
        return;
    for (int64_t i = 0; i < cache->n; i++)
        free(atomic_load(&cache->items[i]));
    free(cache->items);
    free(cache);
}

int image_cache_find(const struct image_cache *cache, int64_t i, struct image_view *view)
{
    const struct cached *im = atomic_load(&cache->items[i]);
    if (!im)
        return 0;
    *view = (struct image_view){im->rgb, im->width, im->height, 3, 1, (ptrdiff_t)im->width * 3, 3};
    return 1;
}

void image_cache_add(struct image_cache *cache, int64_t i, const struct image *im)
{
    size_t pixels = (size_t)im->width * (size_t)im->height * 3,
           size = sizeof(struct cached) + pixels;
    struct cached *none = NULL, *copy;
    if (atomic_fetch_add(&cache->used, size) + size > cache->limit) {
        atomic_fetch_sub(&cache->used, size);
        return;
    }
    copy = mem_alloc(size);
    *copy = (struct cached){im->width, im->height};
    memcpy(copy->rgb, im->rgb, pixels);
    if (!atomic_compare_exchange_strong(&cache->items[i], &none, copy)) { /* another was first */
        free(copy);
        atomic_fetch_sub(&cache->used, size);
    }
}
