/* Two runs compared image by image: the same test set, so far fewer images decide than seeds would
 * need. */
#include "results/listing.h"
#include "results/load.h"
#include "results/rows.h"
#include "results/stats.h"
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/error.h"

static int load_bits(struct store *s, const char *text, struct arena *arena, struct store_result *r,
                     struct error *err)
{
    const char *key;
    int64_t id;
    if (listing_find_run(s, text, arena, &key, err) || find_run(s, key, &id, err) ||
        load_result(s, id, arena, r, err))
        return -1;
    if (!r->correct)
        return error_set(err, "%s kept no list of the images that it got right", key);
    return 0;
}

static int64_t count_right(const struct store_result *r)
{
    int64_t right = 0;
    for (size_t i = 0; i < r->correct_images; i++)
        right += r->correct[i / 8] >> (i % 8) & 1;
    return right;
}

struct rows *listing_images(struct store *s, const char *a, const char *b, struct error *err)
{
    static const char *const names[] = {"images", "both", "only_a", "only_b", "neither", "p"};
    struct arena arena = {0};
    struct store_result x, y;
    struct rows *r = NULL;
    if (load_bits(s, a, &arena, &x, err) || load_bits(s, b, &arena, &y, err)) {
        /* said already */
    } else if (x.correct_images != y.correct_images) {
        error_set(err, "%s was evaluated on %zu images, %s on %zu", a, x.correct_images, b,
                  y.correct_images);
    } else {
        int64_t only_a, only_b;
        stats_discordant(x.correct, y.correct, x.correct_images, &only_a, &only_b);
        int64_t images = (int64_t)x.correct_images, both = count_right(&x) - only_a;
        r = rows_new(6, names);
        struct rows_cell *cell = rows_append(r);
        rows_set_integer(&cell[0], images);
        rows_set_integer(&cell[1], both);
        rows_set_integer(&cell[2], only_a);
        rows_set_integer(&cell[3], only_b);
        rows_set_integer(&cell[4], images - both - only_a - only_b);
        rows_set_real(&cell[5], stats_mcnemar(only_a, only_b));
    }
    arena_release(&arena);
    return r;
}
