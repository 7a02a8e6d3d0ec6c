/* The figures of an ablation table, a cell at a time and then over all of them.
 *
 * Of a cell: the mean over its runs that are done and the error that was asked for; against the
 * baseline the mean difference over common seeds and the exact sign-flip p of it; how often it is
 * on the front of metric and cost when seeds are drawn again. Over the cells: Holm's correction,
 * which is the best, and with how many decimals all of them are shown. What cannot be had is NAN,
 * never zero. */
#include "results/table_figures.h"
#include "results/stats.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const error_names[TABLE_ERRORS] = {"std", "sem", "ci95"};

const char *table_error_name(enum table_error error)
{
    ASSERT(error >= 0 && error < TABLE_ERRORS);
    return error_names[error];
}

int table_error_find(const char *name, struct error *err)
{
    for (int i = 0; i < TABLE_ERRORS; i++)
        if (strcmp(error_names[i], name) == 0)
            return i;
    return error_set(err, "unknown error %s: take std, sem or ci95", name);
}

const char *table_error_words(enum table_error kind)
{
    switch (kind) {
    case TABLE_SEM:
        return "standard error";
    case TABLE_CI95:
        return "half width of the 95% t interval";
    default:
        return "standard deviation (n-1)";
    }
}

static double error_of(const struct table_cell *c, enum table_error kind)
{
    switch (kind) {
    case TABLE_SEM:
        return stats_sem(c->values, c->n);
    case TABLE_CI95:
        return stats_t_halfwidth(c->values, c->n, 0.95);
    default:
        return stats_std(c->values, c->n);
    }
}

/* Differences over the seeds (and device classes) that both have. */
static size_t pair(const struct table_cell *c, const struct table_cell *base, double *d)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < base->n; k++)
            if (c->seeds[i] == base->seeds[k] && strcmp(c->devices[i], base->devices[k]) == 0)
                d[n++] = c->values[i] - base->values[k];
    return n;
}

static void compare(struct table_layout *l)
{
    const struct table_data *d = l->d;
    double *p = mem_zalloc(d->count, sizeof *p), *holm = mem_zalloc(d->count, sizeof *holm);
    for (size_t i = 0; i < d->count; i++) {
        const struct table_cell *c = &d->cells[i];
        struct table_figure *f = &l->figures[i];
        p[i] = NAN;
        if (!d->baseline || c->is_baseline)
            continue;
        double *differences = mem_zalloc(c->n + 1, sizeof *differences);
        f->pairs = pair(c, d->baseline, differences);
        if (f->pairs) {
            f->delta = stats_mean(differences, f->pairs);
            if (l->o->test == TABLE_PAIRED)
                f->p = p[i] = stats_signflip(differences, f->pairs);
        }
        free(differences);
        l->comparisons += !isnan(p[i]);
    }
    stats_holm(p, d->count, holm);
    for (size_t i = 0; i < d->count; i++) {
        struct table_figure *f = &l->figures[i];
        f->holm = holm[i];
        f->hopeless =
            !isnan(f->p) && stats_signflip_floor(f->pairs) * (double)l->comparisons >= 0.05;
    }
    free(p);
    free(holm);
}

static void mark_best(struct table_layout *l)
{
    size_t with_value = 0;
    double best = NAN;
    for (size_t i = 0; i < l->d->count; i++) {
        double mean = l->figures[i].mean;
        if (isnan(mean))
            continue;
        with_value++;
        if (isnan(best) || (l->d->maximize ? mean > best : mean < best))
            best = mean;
    }
    for (size_t i = 0; i < l->d->count && with_value > 1; i++)
        l->figures[i].best = l->figures[i].mean == best;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Two digits of the typical error; percents always two decimals; four digits where there is no
 * error. */
static int choose_decimals(const struct table_layout *l)
{
    const char *slash = strrchr(l->d->metric, '/');
    const char *name = slash ? slash + 1 : l->d->metric;
    if (strncmp(name, "top", 3) == 0 || strncmp(name, "miou", 4) == 0)
        return 2;
    double *errors = mem_zalloc(l->d->count + 1, sizeof *errors), largest = 0;
    size_t n = 0;
    for (size_t i = 0; i < l->d->count; i++) {
        if (l->figures[i].error > 0)
            errors[n++] = l->figures[i].error;
        if (fabs(l->figures[i].mean) > largest)
            largest = fabs(l->figures[i].mean);
    }
    qsort(errors, n, sizeof *errors, by_value);
    double digits = n             ? 1 - floor(log10(errors[n / 2]))
                    : largest > 0 ? 3 - floor(log10(largest))
                                  : 0;
    free(errors);
    return (int)fmin(fmax(digits, 0), 6);
}

void table_figures(struct table_layout *l)
{
    l->figures = mem_zalloc(l->d->count, sizeof *l->figures);
    for (size_t i = 0; i < l->d->count; i++) {
        const struct table_cell *c = &l->d->cells[i];
        l->figures[i] = (struct table_figure){.mean = stats_mean(c->values, c->n),
                                              .error = error_of(c, l->o->error),
                                              .delta = NAN,
                                              .p = NAN,
                                              .holm = NAN};
    }
    double *chance = mem_zalloc(l->d->count + 1, sizeof *chance);
    int pivoted = !l->o->machine && (l->o->rows || l->o->cols);
    l->has_front = !pivoted && table_front(l->d, chance);
    for (size_t i = 0; i < l->d->count; i++)
        l->figures[i].front = l->has_front ? chance[i] : NAN;
    free(chance);
    compare(l);
    mark_best(l);
    l->decimals = choose_decimals(l);
}
