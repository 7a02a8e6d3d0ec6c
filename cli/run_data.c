#include "cli/run_data.h"

#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "runner/experiment.h"
#include "train/keys.h"
#include "train/trainer.h"

struct known {
    const char *text; /* keys and values that decide whether the data suits */
    double images;
    struct known *next;
};

/* data.*, and what the model and its objective want of the data. */
static int matters(const char *key)
{
    static const char *const wants[] = {"data.", "model.classes", "model.channels", "model.second.",
                                        "train.objective"};
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (!strncmp(key, wants[i], strlen(wants[i])))
            return 1;
    return 0;
}

static void data_text(const struct config *c, struct strbuf *out)
{
    struct config_item item;
    strbuf_clear(out);
    for (int i = 0; config_item(c, i, &item); i++)
        if (item.active && matters(item.key->name))
            strbuf_addf(out, "%s: %s\n", item.key->name, item.text);
}

/* opened says whether the data is there. */
static int open_both(const struct config *c, double *images, int *opened, struct error *err)
{
    static const enum split splits[] = {SPLIT_VAL, SPLIT_TRAIN};
    for (int i = 0; i < 2; i++) {
        struct dataset *d;
        *opened = dataset_open(&d, c, splits[i], err) == 0;
        if (!*opened)
            return -1;
        *images = (double)dataset_count(d);
        int rc = trainer_check_data(c, d, err);
        dataset_close(d);
        if (rc)
            return -1;
    }
    return 0;
}

static const struct known *look_up(const struct known *list, const char *text)
{
    while (list && strcmp(list->text, text))
        list = list->next;
    return list;
}

int run_data_check(const struct experiment *e, struct arena *arena, double **images,
                   const char **missing, struct error *err)
{
    struct strbuf text = STRBUF_INIT;
    struct known *list = NULL;
    int rc = 0;
    *missing = NULL;
    *images = ARENA_ARRAY(arena, double, e->n_cells + 1);
    for (int i = 0; i < e->n_cells && !rc; i++) {
        const struct config *c = e->cells[i].config;
        if (e->cells[i].state != CELL_PLANNED || !(e->measure & EXPERIMENT_ACCURACY))
            continue; /* costs and times need no data */
        data_text(c, &text);
        const struct known *k = look_up(list, text.text);
        if (!k) {
            struct known *new = ARENA_NEW(arena, struct known);
            *new = (struct known){.text = arena_strdup(arena, text.text), .next = list};
            int opened;
            rc = open_both(c, &new->images, &opened, err);
            if (!opened)
                *missing = arena_strdup(arena, config_string(c, "data.dataset"));
            k = list = new;
        }
        if (!rc)
            rc = trainer_check_length(c, (int64_t)k->images, err);
        (*images)[i] = (double)train_epoch_batches(c, (int64_t)k->images) *
                       (double)config_int(c, "train.batch");
    }
    strbuf_release(&text);
    return rc;
}
