#include "plots/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum unit { PLAIN, PERCENT, COUNT, BYTES, MS, PER_SECOND, SECONDS };

struct metric {
    const char *name, *title, *brief; /* brief: for the head of a table */
    enum unit unit;
    int maximize;
};

static const struct metric metrics[] = {
    {"val/top1", "top-1 accuracy", "top-1", PERCENT, 1},
    {"val/top5", "top-5 accuracy", "top-5", PERCENT, 1},
    {"val/miou", "mean IoU", "mIoU", PERCENT, 1},
    {"val/pixel_acc", "pixel accuracy", "pixel acc.", PERCENT, 1},
    {"val/mean_acc", "mean accuracy of classes", "mean acc.", PERCENT, 1},
    {"val/majority_miou", "mean IoU of the most frequent class alone", "majority mIoU", PERCENT, 1},
    {"val/majority_acc", "share of the most frequent class", "majority", PERCENT, 1},
    {"test/top1", "test top-1 accuracy", "test top-1", PERCENT, 1},
    {"train/top1", "training top-1 accuracy", "train top-1", PERCENT, 1},
    {"val/process_top1", "top-1 accuracy of the process classifier", "process top-1", PERCENT, 1},
    {"val/memory_top1", "top-1 accuracy of the memory's classifier", "memory top-1", PERCENT, 1},
    {"val/memory_top5", "top-5 accuracy of the memory's classifier", "memory top-5", PERCENT, 1},
    {"val/process_top5", "top-5 accuracy of the process classifier", "process top-5", PERCENT, 1},
    {"val/loss", "validation loss", "val. loss", PLAIN, 0},
    {"val/memory_loss", "the memory's part of the validation loss", "val. loss, mem.", PLAIN, 0},
    {"val/process_loss", "the process part of the validation loss", "val. loss, proc.", PLAIN, 0},
    {"val/bce", "validation loss, binary cross entropy", "val. BCE", PLAIN, 0},
    {"val/memory_bce", "the memory's part of the binary cross entropy", "val. BCE, mem.", PLAIN, 0},
    {"val/process_bce", "the process part of the binary cross entropy", "val. BCE, proc.", PLAIN,
     0},
    {"train/loss", "training loss", "train loss", PLAIN, 0},
    {"train/memory_loss", "the memory's part of the training loss", "loss, mem.", PLAIN, 0},
    {"train/process_loss", "the process part of the training loss", "loss, proc.", PLAIN, 0},
    {"train/grad_norm", "mean norm of the gradient before clipping", "grad. norm", PLAIN, 0},
    {"train/clip_coef", "mean factor of the gradient's clipping", "clip coef.", PLAIN, 0},
    {"train/nonfinite", "batches whose loss or gradient was not finite", "not finite", COUNT, 0},
    {"train/skipped", "images in place of ones that could not be read", "skipped", COUNT, 0},
    {"train/lr", "learning rate", "lr", PLAIN, 0},
    {"train/img_s", "training throughput", "train speed", PER_SECOND, 1},
    {"train/data_wait_s", "time that an epoch waited for its images", "data wait", SECONDS, 0},
    {"val/ema_top1", "top-1 accuracy of the running mean", "EMA top-1", PERCENT, 1},
    {"val/ema_top5", "top-5 accuracy of the running mean", "EMA top-5", PERCENT, 1},
    {"val/ema_loss", "validation loss of the running mean", "EMA loss", PLAIN, 0},
    {"step/loss", "loss of a step", "step loss", PLAIN, 0},
    {"step/memory_loss", "the memory's part of a step's loss", "step loss, mem.", PLAIN, 0},
    {"step/process_loss", "the process part of a step's loss", "step loss, proc.", PLAIN, 0},
    {"step/lr", "learning rate", "lr", PLAIN, 0},
    {"step/grad_norm", "norm of the gradient before clipping", "grad. norm", PLAIN, 0},
    {"step/clip_coef", "factor of the gradient's clipping", "clip coef.", PLAIN, 0},
    {"step/mix_lambda", "weight of an image's own label in mixing", "lambda", PLAIN, 0},
    {"step/cutmix", "share of images that cutmix mixes", "cutmix", PLAIN, 0},
    {"step/img_s", "training throughput", "train speed", PER_SECOND, 1},
    {"cost/params", "parameters", "params", COUNT, 0},
    {"cost/macs", "MACs", "MACs", COUNT, 0},
    {"cost/macs_fvcore", "MACs, fvcore's count", "MACs, fvcore", COUNT, 0},
    {"cost/flops", "other FLOPs", "FLOPs", COUNT, 0},
    {"latency/p50_ms", "median latency", "p50", MS, 0},
    {"latency/p90_ms", "90th percentile of latency", "p90", MS, 0},
    {"latency/p99_ms", "99th percentile of latency", "p99", MS, 0},
    {"latency/iqr_ms", "interquartile range of latency", "IQR", MS, 0},
    {"latency/mean_ms", "mean latency", "mean", MS, 0},
    {"throughput/img_s", "throughput", "throughput", PER_SECOND, 1},
    {"throughput/train_img_s", "training throughput", "train speed", PER_SECOND, 1},
    {"throughput/fps", "frames a second", "fps", PER_SECOND, 1},
    {"memory/peak_bytes", "peak memory", "peak", BYTES, 0},
    {"memory/arena_bytes", "arena", "arena", BYTES, 0},
    {"time/wall_s", "wall time", "wall time", SECONDS, 0},
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
    const char *words, *letter, *unit;
};

static const struct step counts[] = {{1e9, 1e-9, "billions", "G", " billion"},
                                     {1e6, 1e-6, "millions", "M", " million"},
                                     {1e3, 1e-3, "thousands", "k", " thousand"},
                                     {0, 1, NULL, NULL, ""}};
static const struct step bytes[] = {{1e9, 1e-9, "GB", "GB", " GB"},
                                    {1e6, 1e-6, "MB", "MB", " MB"},
                                    {1e3, 1e-3, "kB", "kB", " kB"},
                                    {0, 1, "bytes", "bytes", " bytes"}};

static void set_unit(struct metric_scale *s, const char *brief, const struct step *step)
{
    s->factor = step->factor;
    snprintf(s->unit, sizeof s->unit, "%s", step->unit);
    if (step->words == NULL) {
        snprintf(s->label, sizeof s->label, "%s", s->title);
        snprintf(s->header, sizeof s->header, "%.40s", brief);
        return;
    }
    snprintf(s->label, sizeof s->label, "%s (%s)", s->title, step->words);
    snprintf(s->header, sizeof s->header, "%.32s (%s)", brief, step->letter);
}

static const struct step *find_step(const struct step *steps, double largest)
{
    while (largest < steps->from)
        steps++;
    return steps;
}

void metric_scale(struct metric_scale *s, const char *name, double largest)
{
    static const struct step plain[] = {[PLAIN] = {0, 1, NULL, NULL, ""},
                                        [PERCENT] = {0, 1, "%", "%", " %"},
                                        [MS] = {0, 1, "ms", "ms", " ms"},
                                        [PER_SECOND] = {0, 1, "images/s", "img/s", " images/s"},
                                        [SECONDS] = {0, 1, "s", "s", " s"}};
    const struct metric *m = find(name);
    enum unit unit = m != NULL ? m->unit : unit_of_name(name);
    largest = isfinite(largest) ? fabs(largest) : 0;
    snprintf(s->title, sizeof s->title, "%s", m != NULL ? m->title : name);
    const struct step *step = unit == COUNT   ? find_step(counts, largest)
                              : unit == BYTES ? find_step(bytes, largest)
                                              : &plain[unit];
    set_unit(s, m != NULL ? m->brief : name, step);
    largest *= s->factor;
    if (unit == PERCENT)
        s->decimals = 2;
    else if ((unit == COUNT || unit == BYTES) && s->factor == 1)
        s->decimals = 0;
    else
        s->decimals = largest >= 1000 ? 0 : largest >= 100 ? 1 : largest >= 1 ? 2 : 4;
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
