#include "train/schedule.h"

#include "base/error.h"

#include <math.h>
#include <stddef.h>

static const double pi = 3.14159265358979323846;

/* Share of the way from the end of the warm-up to step T. */
static double progress(const struct lr_plan *p, int64_t t)
{
    return (double)(t - p->warmup) / (double)(p->total - p->warmup);
}

/* Loshchilov and Hutter 2017, eq. 5, without restarts. lr(W) = lr; step T-1 is just above min_lr.
 */
static double cosine_rate(const struct lr_plan *p, int64_t t)
{
    return p->min_lr + (p->lr - p->min_lr) * (1 + cos(pi * progress(p, t))) / 2;
}

/* Ends at 0 and stays there; min_lr is not its affair. */
static double poly_rate(const struct lr_plan *p, int64_t t)
{
    return t < p->total ? p->lr * pow(1 - progress(p, t), p->power) : 0;
}

/* The segmentation recipe's variant: the last step, T-1, runs at min_lr exactly. */
static double poly_min_rate(const struct lr_plan *p, int64_t t)
{
    int64_t last = p->total - 1;
    if (t >= last)
        return p->min_lr;
    double left = 1 - (double)(t - p->warmup) / (double)(last - p->warmup);
    return p->min_lr + (p->lr - p->min_lr) * pow(left, p->power);
}

static double constant_rate(const struct lr_plan *p, int64_t t)
{
    (void)t;
    return p->lr;
}

#define KEY_MIN_LR                                                                                 \
    {                                                                                              \
        .name = "train.min_lr", .type = CONFIG_FLOAT, .fallback = "1e-5", .min = 0, .max = 100,    \
        .doc = "learning rate at the end"                                                          \
    }
#define KEY_POWER                                                                                  \
    {                                                                                              \
        .name = "train.power", .type = CONFIG_FLOAT, .fallback = "0.9", .min = 0.01, .max = 10,    \
        .doc = "exponent of the polynomial"                                                        \
    }

static const struct config_key cosine_keys[] = {KEY_MIN_LR, {0}};
static const struct config_key poly_keys[] = {KEY_POWER, {0}};
static const struct config_key poly_min_keys[] = {KEY_MIN_LR, KEY_POWER, {0}};

static const struct lr_schedule lr_schedule_cosine = {
    {"cosine", "half a cosine from lr to min_lr", cosine_keys}, cosine_rate};
static const struct lr_schedule lr_schedule_poly = {
    {"poly", "lr (1 - progress)^power, to 0", poly_keys}, poly_rate};
static const struct lr_schedule lr_schedule_poly_min = {
    {"poly_min", "the same between lr and min_lr, reached in the last step", poly_min_keys},
    poly_min_rate};
static const struct lr_schedule lr_schedule_constant = {{"constant", "lr throughout", NULL},
                                                        constant_rate};

static const struct lr_schedule *const schedules[] = {
#define SCHEDULE(name) &lr_schedule_##name,
#include "train/schedules.def"
#undef SCHEDULE
    NULL};

const struct lr_schedule *lr_schedule_at(int i)
{
    return schedules[i];
}

const struct config_choice *lr_schedule_choice(int i)
{
    return schedules[i] ? &schedules[i]->choice : NULL;
}

int lr_plan_init(struct lr_plan *p, const struct config *c, int64_t steps_an_epoch,
                 struct error *err)
{
    double epochs = config_float(c, "train.warmup_epochs") * (double)steps_an_epoch;
    int64_t steps = config_int(c, "train.warmup_steps");
    *p = (struct lr_plan){.kind = (const struct lr_schedule *)config_choice(c, "train.schedule"),
                          .lr = config_float(c, "train.lr"),
                          .warmup_lr = config_float(c, "train.warmup_lr"),
                          .warmup = steps ? steps : (int64_t)floor(epochs + 0.5),
                          .total = steps_an_epoch * config_int(c, "train.epochs")};
    if (config_is_active(c, "train.min_lr"))
        p->min_lr = config_float(c, "train.min_lr");
    if (config_is_active(c, "train.power"))
        p->power = config_float(c, "train.power");
    if (p->total > 0 && p->warmup >= p->total)
        return config_error(
            c, err, steps ? "train.warmup_steps" : "train.warmup_epochs",
            "the warm-up of %lld steps leaves none of the %lld steps at the full rate",
            (long long)p->warmup, (long long)p->total);
    return 0;
}

double lr_plan_rate(const struct lr_plan *p, int64_t t)
{
    if (t < p->warmup)
        return p->warmup_lr + (p->lr - p->warmup_lr) * (double)t / (double)p->warmup;
    return p->kind->rate(p, t);
}
