#include "plots/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum unit { PLAIN, PERCENT, COUNT, BYTES, MS, PER_SECOND, SECONDS };

struct metric {
    const char *name, *title;
    enum unit unit;
    int maximize;
};

static const struct metric metrics[] = {
    {"val/top1", "top-1 accuracy", PERCENT, 1},
    {"val/top5", "top-5 accuracy", PERCENT, 1},
    {"val/miou", "mean IoU", PERCENT, 1},
    {"test/top1", "test top-1 accuracy", PERCENT, 1},
    {"train/top1", "training top-1 accuracy", PERCENT, 1},
    {"val/loss", "validation loss", PLAIN, 0},
    {"train/loss", "training loss", PLAIN, 0},
    {"train/lr", "learning rate", PLAIN, 0},
    {"cost/params", "parameters", COUNT, 0},
    {"cost/macs", "MACs", COUNT, 0},
    {"cost/macs_fvcore", "MACs, fvcore's count", COUNT, 0},
    {"cost/flops", "other FLOPs", COUNT, 0},
    {"latency/p50_ms", "median latency", MS, 0},
    {"latency/p90_ms", "90th percentile of latency", MS, 0},
    {"latency/p99_ms", "99th percentile of latency", MS, 0},
    {"latency/iqr_ms", "interquartile range of latency", MS, 0},
    {"latency/mean_ms", "mean latency", MS, 0},
    {"throughput/img_s", "throughput", PER_SECOND, 1},
    {"throughput/train_img_s", "training throughput", PER_SECOND, 1},
    {"throughput/fps", "throughput", PER_SECOND, 1},
    {"memory/peak_bytes", "peak memory", BYTES, 0},
    {"memory/arena_bytes", "arena", BYTES, 0},
    {"time/wall_s", "wall time", SECONDS, 0},
};

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum unit unit_of_name(const char *name)
{
    return ends_with(name, "_ms")      ? MS
           : ends_with(name, "_bytes") ? BYTES
           : ends_with(name, "_s")     ? SECONDS
                                       : PLAIN;
}

static const struct metric *find(const char *name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

int metric_maximize(const char *name)
{
    const struct metric *m = find(name);
    if (m != NULL)
        return m->maximize;
    return strstr(name, "loss") == NULL && strncmp(name, "cost/", 5) != 0 &&
           strncmp(name, "latency/", 8) != 0 && strncmp(name, "memory/", 7) != 0;
}

struct step {
    double from, factor;
    const char *words, *letter;
};

static const struct step counts[] = {
    {1e9, 1e-9, "billions", "G"}, {1e6, 1e-6, "millions", "M"}, {1e3, 1e-3, "thousands", "k"}};
static const struct step bytes[] = {{1073741824.0, 1 / 1073741824.0, "GiB", "GiB"},
                                    {1048576.0, 1 / 1048576.0, "MiB", "MiB"},
                                    {1024.0, 1 / 1024.0, "KiB", "KiB"}};

static void set_steps(struct metric_scale *s, const char *title, const struct step *steps,
                      double largest, const char *plain)
{
    for (int i = 0; i < 3; i++)
        if (largest >= steps[i].from) {
            s->factor = steps[i].factor;
            snprintf(s->label, sizeof s->label, "%s (%s)", title, steps[i].words);
            snprintf(s->header, sizeof s->header, "%s (%s)", title, steps[i].letter);
            s->decimals = largest * s->factor >= 100 ? 1 : 2;
            return;
        }
    snprintf(s->label, sizeof s->label, "%s%s", title, plain);
    snprintf(s->header, sizeof s->header, "%s%s", title, plain);
    s->decimals = 0;
}

void metric_scale(struct metric_scale *s, const char *name, double largest)
{
    static const char *const units[] = {[PLAIN] = "",
                                        [PERCENT] = " (%)",
                                        [MS] = " (ms)",
                                        [PER_SECOND] = " (images/s)",
                                        [SECONDS] = " (s)"};
    const struct metric *m = find(name);
    const char *title = m != NULL ? m->title : name;
    enum unit unit = m != NULL ? m->unit : unit_of_name(name);
    largest = isfinite(largest) ? fabs(largest) : 0;
    s->factor = 1;
    if (unit == COUNT) {
        set_steps(s, title, counts, largest, "");
        return;
    }
    if (unit == BYTES) {
        set_steps(s, title, bytes, largest, " (bytes)");
        return;
    }
    snprintf(s->label, sizeof s->label, "%.80s%s", title, units[unit]);
    snprintf(s->header, sizeof s->header, "%.30s%s", title, units[unit]);
    s->decimals = unit == PERCENT   ? 2
                  : largest >= 1000 ? 0
                  : largest >= 100  ? 1
                  : largest >= 1    ? 2
                                    : 4;
}

struct title {
    const char *key, *text;
};

static const struct title titles[] = {
    {"model.rw_head", "read-write head"},
    {"model.fusion", "fusion"},
    {"model.dim", "channels"},
    {"model.latent_dim", "latent dimension"},
    {"model.memory_patch", "memory patch"},
    {"model.process_patch", "process patch"},
    {"train.lr", "learning rate"},
    {"train.batch", "batch size"},
    {"model.reduce.r", "merged tokens r"},
    {"model.reduce.method", "token reduction"},
};

void metric_level_title(const char *value, char *text, size_t size)
{
    snprintf(text, size, "%s", value);
    for (char *c = text; *c != 0; c++)
        if (*c == '_')
            *c = ' ';
}

void metric_key_title(const char *key, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(titles[i].key, key) == 0) {
            snprintf(text, size, "%s", titles[i].text);
            return;
        }
    const char *dot = strrchr(key, '.');
    metric_level_title(dot != NULL && dot[1] != 0 ? dot + 1 : key, text, size);
}

int metric_at(int i, const char **name, const char **title)
{
    if (i < 0 || (size_t)i >= sizeof metrics / sizeof *metrics)
        return 0;
    *name = metrics[i].name;
    *title = metrics[i].title;
    return 1;
}
