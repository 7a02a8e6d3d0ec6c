/* A ratio of sums: long runs count for more than short ones, as they do in the total. */
#include "runner/estimate.h"

#include <math.h>

void estimate_add(struct estimate *e, double work, double wall_s)
{
    if (!(work > 0) || !(wall_s > 0))
        return;
    e->work += work;
    e->seconds += wall_s;
}

void estimate_guess(struct estimate *e, double work, double elapsed_s, double left_s)
{
    if (!(work > 0) || !(left_s >= 0))
        return;
    e->guess_work += work;
    e->guess_s += elapsed_s + left_s;
}

void estimate_forget(struct estimate *e)
{
    e->guess_work = e->guess_s = 0;
}

double estimate_run(const struct estimate *e, double work)
{
    if (!(work > 0))
        return NAN;
    if (e->work > 0)
        return work * e->seconds / e->work;
    return e->guess_work > 0 ? work * e->guess_s / e->guess_work : NAN;
}

double estimate_total(double waiting_s, double running_s, double longest_s, int jobs)
{
    double even = (waiting_s + running_s) / jobs;
    return even < longest_s ? longest_s : even;
}
