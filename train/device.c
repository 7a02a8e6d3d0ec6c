#include "train/device.h"

#include "base/error.h"
#include "base/strbuf.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int allowed_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

static int open_row(struct device *d, const struct backend *row, struct error *err)
{
    if (row->dry)
        return error_set(err,
                         "device %s computes nothing: it is for plans and counts only (try auto)",
                         row->choice.name);
    d->backend = backend_open(row, &d->options, d->text, sizeof d->text, err);
    return d->backend ? 0 : -1;
}

static const char *backend_name(const void *ctx, int i)
{
    const struct config_choice *c = backend_choice(i);
    (void)ctx;
    return c ? c->name : NULL;
}

static int unknown(const char *name, struct error *err)
{
    struct strbuf known = STRBUF_INIT;
    const char *near = config_nearest(name, backend_name, NULL);
    for (int i = 0; backend_at(i); i++)
        strbuf_addf(&known, ", %s", backend_at(i)->choice.name);
    error_set(err, "unknown device %s (%s%s%sdevices: auto%s)", name, near ? "did you mean " : "",
              near ? near : "", near ? "? " : "", known.text);
    strbuf_release(&known);
    return -1;
}

/* The row that "cuda:1" begins with, and its number; NULL if there is none. */
static const struct backend *numbered(const char *name, int *number)
{
    char row[64], *end;
    const char *colon = strchr(name, ':');
    if (!colon || colon[1] < '0' || colon[1] > '9' || (size_t)(colon - name) >= sizeof row)
        return NULL;
    snprintf(row, sizeof row, "%.*s", (int)(colon - name), name);
    long value = strtol(colon + 1, &end, 10);
    const struct backend *b = backend_find(row);
    if (*end || value > 1023 || !b || !b->plugin)
        return NULL;
    *number = (int)value;
    return b;
}

int device_open(struct device *d, const char *name, int threads, struct error *err)
{
    *d = (struct device){.options.threads = threads > 0 ? threads : allowed_cores()};
    const struct backend *row = backend_find(name);
    if (!row)
        row = numbered(name, &d->options.device);
    if (row)
        return open_row(d, row, err);
    if (strcmp(name, "auto"))
        return unknown(name, err);
    for (int i = 0; backend_at(i); i++)
        if (backend_at(i)->value_size == sizeof(float) && !open_row(d, backend_at(i), err))
            return 0;
    return error_prefix(err, "no device works on this machine; the last one says");
}

int device_set_precision(struct device *d, enum precision p, struct error *err)
{
    d->options.precision = p;
    if (d->backend->probe(&d->options, d->text, sizeof d->text, err))
        return error_prefix(err, "device %s", d->backend->choice.name);
    return 0;
}

const char *device_precision(const struct device *d)
{
    return d->backend->value_size == sizeof(double) ? "fp64" : precision_name(d->options.precision);
}
