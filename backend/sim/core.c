/* The scheduler. Not compiled with sanitizers (see fiber.c).
 *
 * A worker runs its blocks one after the other: block i is worker i % workers', so that two workers
 * always share the work and races between blocks show. Inside a block it goes from warp to warp;
 * inside a warp a thread that has to wait switches to the next ready lane directly. When no thread
 * is ready, all that are left stand at a barrier, and it opens; or the block is stuck. */
#include "backend/sim/core.h"

#include "backend/sim/copies.h"
#include "backend/sim/fiber.h"
#include "backend/sim/options.h"
#include "backend/sim/shared.h"
#include "base/memory.h"
#include "base/rng.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 1024, WARPS_MAX = THREADS_MAX / SIM_WARP, GROUPS = 8 };

/* Of a CUDA thread; sanitizers make frames several times as large. */
#if defined(SIM_ASAN) || defined(SIM_TSAN)
enum { STACK = 256 << 10 };
#else
enum { STACK = 64 << 10 };
#endif

enum state { READY, IN_WARP, AT_BARRIER, DONE };

struct lane {
    struct sim_thread thread; /* first: what the kernel sees */
    struct fiber fiber;
    struct worker *worker;
    int number, lane; /* in the block, in the warp */
    enum state state;
    const char *file; /* where it waits */
    int line;
    struct sim_copies copies;
};

/* Lanes that meet in one collective operation. Tags: see order_release. */
struct group {
    int used, orders; /* orders: memory too */
    uint32_t mask, arrived;
    sim_combine *combine;
    void *operands[SIM_WARP];
    char arrive, depart;
};

struct warp {
    struct group groups[GROUPS];
    uint32_t lanes, left; /* that exist, that have returned */
};

struct worker {
    struct sim_block block;
    const struct sim_grid *grid;
    int first, step; /* blocks first, first + step, ... */
    struct lane lanes[THREADS_MAX];
    struct warp warps[WARPS_MAX];
    int threads, alive, at_barrier;
    int order[SIM_WARP], place[SIM_WARP], in_order; /* of the lanes of the warp that runs */
    struct shared_memory shared;
    struct rng rng;
    char *stacks;
    size_t stack_stride;
    int n_stacks;
    struct fiber first_fiber;
    char start, arrive, depart, end; /* tags */
};

__thread struct sim_thread *sim_now;

static struct lane *lane_now(void)
{
    return (struct lane *)(void *)sim_now;
}

void sim_die(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("sim: ", stderr);
    vfprintf(stderr, format, ap);
    va_end(ap);
    if (sim_now) {
        const struct lane *l = lane_now();
        const struct sim_dim *b = &l->worker->block.index, *t = &l->thread.index;
        fprintf(stderr, " in %s, block (%u,%u,%u), thread (%u,%u,%u)", l->worker->grid->name, b->x,
                b->y, b->z, t->x, t->y, t->z);
        if (l->file)
            fprintf(stderr, " at %s:%d", l->file, l->line);
    }
    fputc('\n', stderr);
    abort();
}

/* ---- switching ------------------------------------------------------------------------------- */

static void run_lane(struct worker *w, struct lane *l)
{
    sim_now = &l->thread;
    fiber_switch(&w->first_fiber, &l->fiber);
    sim_now = NULL;
}

/* The next ready lane of l's warp in this round's order; NULL: back to the scheduler. */
static struct lane *next_ready(struct worker *w, const struct lane *l)
{
    struct lane *warp = &w->lanes[l->number - l->lane];
    for (int k = 1, i = w->place[l->lane]; k < w->in_order; k++) {
        i = i + 1 == w->in_order ? 0 : i + 1;
        if (warp[w->order[i]].state == READY)
            return &warp[w->order[i]];
    }
    return NULL;
}

/* l is not ready: something else runs until it is. */
static void wait_turn(struct lane *l)
{
    struct worker *w = l->worker;
    struct lane *next = next_ready(w, l);
    sim_now = next ? &next->thread : NULL;
    fiber_switch(&l->fiber, next ? &next->fiber : &w->first_fiber);
    sim_now = &l->thread;
}

/* ---- warps ----------------------------------------------------------------------------------- */

/* Everybody still there that the mask names has come: combine, and all go on. */
static void complete(struct worker *w, int warp, struct group *g)
{
    const struct warp *its = &w->warps[warp];
    uint32_t needed = g->mask & its->lanes & ~its->left;
    if (!g->used || (g->arrived & needed) != needed)
        return;
    g->combine(g->operands, g->arrived);
    g->used = 0;
    if (g->orders) {
        order_acquire(&g->arrive);
        order_release(&g->depart);
    }
    for (int i = 0; i < SIM_WARP; i++)
        if (g->arrived >> i & 1)
            w->lanes[warp * SIM_WARP + i].state = READY;
}

/* The group that waits with this mask, or a new one. */
static struct group *group_for(struct warp *warp, const struct lane *l, uint32_t mask,
                               sim_combine *combine)
{
    struct group *unused = NULL;
    for (struct group *g = warp->groups; g < warp->groups + GROUPS; g++) {
        if (!g->used) {
            unused = unused ? unused : g;
            continue;
        }
        if (g->mask == mask && !(g->arrived >> l->lane & 1)) {
            if (g->combine != combine)
                sim_die("lanes of one mask meet in different collective operations");
            return g;
        }
        if (g->mask & mask)
            sim_die("lanes of a warp wait with different masks that overlap (%08x and %08x)",
                    g->mask, mask);
    }
    if (!unused)
        sim_die("more than %d groups of lanes in a warp", GROUPS);
    unused->used = 1;
    unused->mask = mask;
    unused->arrived = 0;
    unused->combine = combine;
    return unused;
}

void sim_collective(uint32_t mask, sim_combine *combine, void *operand, int orders,
                    const char *file, int line)
{
    struct lane *l = lane_now();
    struct worker *w = l->worker;
    int warp = l->number / SIM_WARP;
    l->file = file;
    l->line = line;
    if (!(mask >> l->lane & 1))
        sim_die("a lane is not in the mask %08x of its own collective operation", mask);
    struct group *g = group_for(&w->warps[warp], l, mask, combine);
    g->orders = orders;
    g->arrived |= 1u << l->lane;
    g->operands[l->lane] = operand;
    l->state = IN_WARP;
    if (orders)
        order_release(&g->arrive);
    complete(w, warp, g);
    if (l->state != READY)
        wait_turn(l);
    if (orders)
        order_acquire(&g->depart);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

void sim_barrier(const char *file, int line)
{
    struct lane *l = lane_now();
    l->file = file;
    l->line = line;
    l->state = AT_BARRIER;
    l->worker->at_barrier++;
    order_release(&l->worker->arrive);
    wait_turn(l);
    order_acquire(&l->worker->depart);
}

static void tell_stuck(const struct worker *w)
{
    enum { SHOWN = 8 };
    const struct sim_dim *b = &w->block.index;
    int shown = 0;
    fprintf(stderr, "sim: deadlock in %s, block (%u,%u,%u): %d threads left, %d at a barrier\n",
            w->grid->name, b->x, b->y, b->z, w->alive, w->at_barrier);
    for (int i = 0; i < w->threads && shown < SHOWN; i++) {
        const struct lane *l = &w->lanes[i], *before = i ? l - 1 : NULL;
        if (l->state == DONE || (before && before->state == l->state && before->line == l->line))
            continue;
        shown++;
        fprintf(stderr, "    thread %d and those after it wait in %s at %s:%d\n", i,
                l->state == IN_WARP ? "a collective operation of the warp" : "__syncthreads",
                l->file, l->line);
    }
    abort();
}

/* All that are left stand at the barrier: in one line, or it is not the same barrier. */
static void open_barrier(struct worker *w)
{
    const struct lane *first = NULL;
    if (w->at_barrier < w->alive)
        tell_stuck(w);
    for (struct lane *l = w->lanes; l < w->lanes + w->threads; l++) {
        if (l->state != AT_BARRIER)
            continue;
        first = first ? first : l;
        if (l->line != first->line || (l->file != first->file && strcmp(l->file, first->file)))
            sim_die("divergent __syncthreads in %s: thread %d is at %s:%d, thread %d at %s:%d",
                    w->grid->name, first->number, first->file, first->line, l->number, l->file,
                    l->line);
    }
    order_acquire(&w->arrive);
    order_release(&w->depart);
    for (int i = 0; i < w->threads; i++)
        if (w->lanes[i].state == AT_BARRIER)
            w->lanes[i].state = READY;
    w->at_barrier = 0;
}

static void make_order(struct worker *w, int *order, int n)
{
    enum sim_order how = sim_options()->order;
    for (int i = 0; i < n; i++)
        order[i] = how == SIM_REVERSE ? n - 1 - i : i;
    for (int i = n - 1; how == SIM_RANDOM && i > 0; i--) {
        int other = (int)rng_below(&w->rng, i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* Runs the lanes of a warp until none is ready. */
static void run_warp(struct worker *w, int warp)
{
    struct lane *lanes = &w->lanes[warp * SIM_WARP];
    int left = w->threads - warp * SIM_WARP, n = left < SIM_WARP ? left : SIM_WARP, ran = 1;
    w->in_order = n;
    while (ran) {
        ran = 0;
        make_order(w, w->order, n);
        for (int i = 0; i < n; i++)
            w->place[w->order[i]] = i;
        for (int i = 0; i < n; i++)
            if (lanes[w->order[i]].state == READY) {
                ran = 1;
                run_lane(w, &lanes[w->order[i]]);
            }
    }
}

/* The life of a CUDA thread. */
static void live(void)
{
    struct lane *l = lane_now();
    struct worker *w = l->worker;
    struct warp *warp = &w->warps[l->number / SIM_WARP];
    fiber_begin(&w->first_fiber);
    order_acquire(&w->start);
    w->grid->call(w->grid->arguments);
    if (l->copies.count)
        sim_die("a thread ends before %d of its copies to shared memory are waited for",
                l->copies.count);
    order_release(&w->end);
    l->state = DONE;
    w->alive--;
    warp->left |= 1u << l->lane;
    for (int i = 0; i < GROUPS; i++)
        complete(w, l->number / SIM_WARP, &warp->groups[i]);
    sim_now = NULL;
    fiber_leave(&l->fiber, &w->first_fiber);
}

static void prepare_lanes(struct worker *w)
{
    const struct sim_dim *size = &w->block.size;
    for (int i = 0; i < w->threads; i++) {
        struct lane *l = &w->lanes[i];
        unsigned u = (unsigned)i;
        l->thread = (struct sim_thread){
            {u % size->x, u / size->x % size->y, u / (size->x * size->y)}, &w->block};
        l->worker = w;
        l->number = i;
        l->lane = i % SIM_WARP;
        l->state = READY;
        l->file = NULL;
        l->copies.count = l->copies.group = 0;
        w->warps[i / SIM_WARP].lanes |= 1u << l->lane;
        /* The guard page is the lowest of the stride. */
        char *top = w->stacks + w->stack_stride * (size_t)(i + 1);
        fiber_prepare(&l->fiber, top - STACK, STACK, live);
    }
}

static void run_block(struct worker *w)
{
    int warps = (w->threads + SIM_WARP - 1) / SIM_WARP, order[WARPS_MAX];
    w->alive = w->threads;
    w->at_barrier = 0;
    memset(w->warps, 0, sizeof *w->warps * (size_t)warps);
    shared_unset(&w->shared);
    order_release(&w->start);
    prepare_lanes(w);
    for (;;) {
        make_order(w, order, warps);
        for (int i = 0; i < warps; i++)
            run_warp(w, order[i]);
        if (!w->alive)
            break;
        open_barrier(w);
    }
    order_acquire(&w->end);
}

/* ---- what a thread asks of its block --------------------------------------------------------- */

void *sim_shared(const void *key, size_t bytes)
{
    return shared_array(&lane_now()->worker->shared, key, bytes);
}

int sim_is_shared(const void *p, size_t bytes)
{
    return shared_holds(&lane_now()->worker->shared, p, bytes);
}

struct sim_copies *sim_copies_now(void)
{
    return &lane_now()->copies;
}

int sim_draw(int n)
{
    return (int)rng_below(&lane_now()->worker->rng, n);
}

/* ---- grids ----------------------------------------------------------------------------------- */

static void ensure_stacks(struct worker *w, int n)
{
    if (w->n_stacks >= n)
        return;
    fiber_stacks_free(w->stacks, w->n_stacks, w->stack_stride);
    w->stacks = fiber_stacks_new(n, STACK, &w->stack_stride);
    if (!w->stacks)
        sim_die("no memory for the stacks of %d threads", n);
    w->n_stacks = n;
}

static void *work(void *p)
{
    struct worker *w = p;
    const struct sim_grid *g = w->grid;
    unsigned total = g->grid.x * g->grid.y * g->grid.z;
    fiber_adopt(&w->first_fiber);
    w->block.size = g->block;
    w->block.grid = g->grid;
    w->block.dynamic = shared_begin(&w->shared, g->shared);
    for (unsigned i = (unsigned)w->first; i < total; i += (unsigned)w->step) {
        w->block.index =
            (struct sim_dim){i % g->grid.x, i / g->grid.x % g->grid.y, i / g->grid.x / g->grid.y};
        if (sim_options()->order == SIM_RANDOM || sim_options()->streams == SIM_SHUFFLED)
            rng_init(&w->rng, sim_options()->seed, "sim/threads", i, 0);
        run_block(w);
    }
    shared_end(&w->shared);
    w->block.dynamic = NULL;
    return NULL;
}

static struct worker *worker_at(int i)
{
    /* Kept for the life of the process: their stacks are worth keeping. One grid runs at a time. */
    static struct worker *workers[SIM_WORKERS_MAX];
    if (!workers[i])
        workers[i] = mem_zalloc(1, sizeof *workers[i]);
    return workers[i];
}

void sim_grid_run(const struct sim_grid *g)
{
    int n = sim_options()->workers;
    pthread_t threads[SIM_WORKERS_MAX];
    if (sim_now)
        sim_die("a kernel cannot start a kernel");
    for (int i = 0; i < n; i++) {
        struct worker *w = worker_at(i);
        w->grid = g;
        w->first = i;
        w->step = n;
        w->threads = (int)(g->block.x * g->block.y * g->block.z);
        ensure_stacks(w, w->threads);
    }
    for (int i = 1; i < n; i++)
        if (pthread_create(&threads[i], NULL, work, worker_at(i)))
            sim_die("no thread for worker %d", i);
    work(worker_at(0));
    for (int i = 1; i < n; i++)
        pthread_join(threads[i], NULL);
}
