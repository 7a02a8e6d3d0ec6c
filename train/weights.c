#include "train/weights.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct weights *w, const struct tensor *t)
{
    return (size_t)shape_count(t->shape) * w->value_size;
}

/* Room for the values of w->tensors, zeroed. */
static void make_room(struct weights *w)
{
    size_t total = 0;
    w->values = mem_zalloc((size_t)w->n + 1, sizeof *w->values);
    for (int i = 0; i < w->n; i++)
        total += bytes_of(w, w->tensors[i]);
    w->block = mem_zalloc(total + 1, 1);
    total = 0;
    for (int i = 0; i < w->n; i++) {
        w->values[i] = w->block + total;
        total += bytes_of(w, w->tensors[i]);
    }
}

void weights_init(struct weights *w, const struct network *n)
{
    *w = (struct weights){.value_size = network_value_size(n), .n = n->plan->n_params};
    w->tensors = mem_zalloc((size_t)w->n + 1, sizeof *w->tensors);
    for (int i = 0; i < w->n; i++)
        w->tensors[i] = n->plan->params[i];
    make_room(w);
}

void weights_init_graph(struct weights *w, const struct graph *g)
{
    *w = (struct weights){.value_size = sizeof(float)};
    w->tensors = mem_zalloc((size_t)g->n_tensors + 1, sizeof *w->tensors);
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_PARAM)
            w->tensors[w->n++] = g->tensors[i];
    make_room(w);
}

void weights_release(struct weights *w)
{
    free(w->tensors);
    free(w->values);
    free(w->block);
    *w = (struct weights){0};
}

void weights_get(struct weights *w, const struct network *n)
{
    for (int i = 0; i < w->n; i++)
        network_get(n, w->tensors[i], w->values[i]);
}

/* Flat states hold the trained parameters in their order, each padded to PLAN_ALIGN values. */
void weights_get_mean(struct weights *w, const struct network *n)
{
    const struct plan *p = n->plan;
    char *flat = mem_alloc((size_t)p->flat_count * w->value_size + 1), *at = flat;
    size_t unit = PLAN_ALIGN * w->value_size;
    weights_get(w, n);
    network_get(n, n->mean, flat);
    for (int i = 0; i < p->n_trained; i++) {
        ASSERT(w->tensors[i] == p->params[i]);
        memcpy(w->values[i], at, bytes_of(w, w->tensors[i]));
        at += (bytes_of(w, w->tensors[i]) + unit - 1) / unit * unit;
    }
    free(flat);
}

const void *weights_find(const struct weights *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (!strcmp(w->tensors[i]->name, name))
            return w->values[i];
    return NULL;
}

void weights_put(const struct weights *w, struct network *n)
{
    for (int i = 0; i < n->plan->n_params; i++) {
        const struct tensor *t = n->plan->params[i];
        const void *values = weights_find(w, t->name);
        if (!values)
            BUG("no weights for the parameter %s", t->name);
        network_put(n, t, values);
    }
}

void weights_copy(struct weights *to, const struct weights *from)
{
    for (int i = 0; i < to->n; i++)
        memcpy(to->values[i], from->values[i], bytes_of(to, to->tensors[i]));
}

void weights_entries(const struct weights *w, const char *prefix, struct arena *a,
                     struct safetensors_entry *entries)
{
    for (int i = 0; i < w->n; i++) {
        const struct tensor *t = w->tensors[i];
        entries[i] = (struct safetensors_entry){
            .name = arena_printf(a, "%s%s", prefix, t->name),
            .type = w->value_size == sizeof(double) ? SAFETENSORS_F64 : SAFETENSORS_F32,
            .rank = t->shape.rank,
            .data = w->values[i]};
        memcpy(entries[i].dim, t->shape.dim, sizeof(int64_t) * (size_t)t->shape.rank);
    }
}

/* ---- from a file ----------------------------------------------------------------------------- */

static const struct safetensors_tensor *find(const struct safetensors *file, const char *prefix,
                                             const char *name)
{
    char full[512];
    if (!name)
        return NULL;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return safetensors_find(file, full);
}

static int same_shape(const struct safetensors_tensor *from, const struct tensor *to)
{
    return from->rank == to->shape.rank &&
           !memcmp(from->dim, to->shape.dim, sizeof(int64_t) * (size_t)from->rank);
}

static const char *dims_text(const struct safetensors_tensor *t, char text[160])
{
    size_t n = (size_t)snprintf(text, 160, "(");
    for (int i = 0; i < t->rank && n < 140; i++)
        n += (size_t)snprintf(text + n, 160 - n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    snprintf(text + n, 160 - n, ")");
    return text;
}

/* Tensors of the file that are not parameters of ours: all, less what we took and what training
 * keeps. */
static int count_surplus(const struct safetensors *file, const char *prefix, int taken)
{
    int n = 0;
    size_t length = strlen(prefix);
    for (size_t i = 0; i < file->n_tensors; i++) {
        const char *name = file->tensors[i].name;
        n += !strncmp(name, prefix, length) &&
             (length || (strncmp(name, "train/", 6) && strncmp(name, "best/", 5)));
    }
    return n - taken;
}

int weights_load(struct weights *w, const struct safetensors *file, const char *prefix,
                 int *surplus, struct error *err)
{
    int missing = 0, taken = 0;
    const char *first = NULL;
    for (int i = 0; i < w->n; i++) {
        const struct tensor *t = w->tensors[i];
        const struct safetensors_tensor *from = find(file, prefix, t->name);
        const struct safetensors_tensor *alias = find(file, prefix, t->alias_name);
        char want[128], have[160];
        taken += (from != NULL) + (alias != NULL);
        if (!from)
            from = alias;
        if (!from) {
            first = missing++ ? first : t->name;
            continue;
        }
        if (!same_shape(from, t))
            return error_set(err,
                             "%s: %s has the shape %s, this model's is %s (another configuration?)",
                             file->path, t->name, dims_text(from, have),
                             shape_text(t->shape, want, sizeof want));
        if (w->value_size == sizeof(double))
            safetensors_read_double(from, (double *)(void *)w->values[i]);
        else
            safetensors_read_float(from, (float *)(void *)w->values[i]);
    }
    if (missing)
        return error_set(err,
                         "%s: lacks %d of the model's %d tensors, %s%s for one (another "
                         "configuration?)",
                         file->path, missing, w->n, prefix, first);
    if (surplus)
        *surplus = count_surplus(file, prefix, taken);
    return 0;
}
