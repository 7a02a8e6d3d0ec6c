#include "plots/place.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "plots/place_internal.h"

void place_point(struct placer *p, double x, double y, double reach)
{
    p->points = mem_grow(p->points, p->n_points, &p->cap_points, sizeof *p->points);
    p->points[p->n_points++] = (struct place_box){x - reach, y - reach, x + reach, y + reach};
}

void place_avoid(struct placer *p, struct place_box box, double cost)
{
    p->obstacles = mem_grow(p->obstacles, p->n_obstacles, &p->cap_obstacles, sizeof *p->obstacles);
    p->obstacles[p->n_obstacles++] = (struct place_obstacle){box, cost};
}

void place_release(struct placer *p)
{
    free(p->points);
    free(p->obstacles);
    *p = (struct placer){0};
}

/* ---- which places all take together ---- */

/* A label: its places, and the one that it has now, which is n where it is left out. */
struct sitter {
    struct seat *seats;
    size_t n, now;
    double out; /* what leaving it out costs */
};

static double cost_at(const struct sitter *all, size_t n, size_t i, size_t place)
{
    const struct sitter *s = &all[i];
    if (place == s->n)
        return s->out;
    double sum = s->seats[place].cost;
    for (size_t k = 0; k < n; k++)
        if (k != i && all[k].now < all[k].n)
            sum += place_quarrel(&s->seats[place], &all[k].seats[all[k].now]);
    return sum;
}

/* Any change is taken that costs less than the threshold, which falls to nothing. */
static void wander(struct sitter *all, size_t n, int run)
{
    enum { SWEEPS = 1500, WORK = 4000000 };
    struct rng r;
    rng_init(&r, 0, "plots/place", (uint64_t)run, 0);
    size_t sweeps = WORK / (n * n);
    size_t steps = n * (sweeps < SWEEPS ? sweeps + 1 : SWEEPS);
    for (size_t step = 0; step < steps; step++) {
        size_t i = (size_t)rng_below(&r, (int64_t)n);
        size_t place = (size_t)rng_below(&r, (int64_t)all[i].n + 1);
        double left = 1 - (double)step / (double)steps;
        double change = cost_at(all, n, i, place) - cost_at(all, n, i, all[i].now);
        if (change < 2.5 * left * left)
            all[i].now = place;
    }
}

static int improve(struct sitter *all, size_t n, size_t i)
{
    size_t before = all[i].now;
    double least = cost_at(all, n, i, before);
    for (size_t place = 0; place <= all[i].n; place++) {
        double cost = cost_at(all, n, i, place);
        if (cost < least - 1e-9) {
            least = cost;
            all[i].now = place;
        }
    }
    return all[i].now != before;
}

/* Each takes its best place in turn until none has a better one; so no two lie on each other. */
static void settle(struct sitter *all, size_t n)
{
    for (int moved = 1; moved;) {
        moved = 0;
        for (size_t i = 0; i < n; i++)
            moved |= improve(all, n, i);
    }
}

static double total(const struct sitter *all, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sitter *s = &all[i];
        double own = s->now < s->n ? s->seats[s->now].cost : s->out;
        sum += (own + cost_at(all, n, i, s->now)) / 2; /* each pair is met twice */
    }
    return sum;
}

/* The best of some runs. */
static void search(struct sitter *all, size_t n)
{
    enum { RUNS = 5 };
    size_t *best = mem_alloc(n * sizeof *best);
    double least = INFINITY;
    for (int run = 0; run < RUNS; run++) {
        wander(all, n, run);
        settle(all, n);
        double cost = total(all, n);
        for (size_t i = 0; cost < least && i < n; i++)
            best[i] = all[i].now;
        least = fmin(least, cost);
    }
    for (size_t i = 0; i < n; i++)
        all[i].now = best[i];
    free(best);
}

void place_labels(struct placer *p, struct place_wish *wishes, size_t n, double height)
{
    const double OUT = 4; /* a welcome label is left out rather than laid over a line */
    if (n == 0)
        return;
    struct sitter *all = mem_alloc(n * sizeof *all);
    struct seat *seats = mem_alloc(n * SEATS_MOST * sizeof *seats);
    for (size_t i = 0; i < n; i++) {
        struct seat *mine = seats + i * SEATS_MOST;
        size_t found = place_seats(p, &wishes[i], height, mine);
        all[i] = (struct sitter){mine, found, found, OUT * wishes[i].weight};
    }
    search(all, n);
    for (size_t i = 0; i < n; i++) {
        wishes[i].placed = all[i].now < all[i].n;
        if (wishes[i].placed)
            wishes[i].spot = all[i].seats[all[i].now].spot;
    }
    free(seats);
    free(all);
}
