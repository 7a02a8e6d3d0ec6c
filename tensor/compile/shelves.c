/* The search for free room in the arena.
 *
 * Three lists in ascending order of offset hold what is taken. A search runs along them and steps
 * over what lives at the same time, so it costs what it meets; the lists are made so that it meets
 * little. The answer is the last gap that fits among the gradients, else the first there is: gaps
 * are not weighed against each other, and nothing moves once it has its place, so the same requests
 * in the same order give the same offsets. */
#include "tensor/compile/shelves.h"

#include "base/memory.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is placed, apart from what the placer knows of it, so that the search below, which reads
 * much of it each time, reads little. */
struct taken {
    size_t offset, end;
    int first, last;
};

/* A list in ascending order of offset, and behind it one that no bound reaches. Pointers: less is
 * moved where one comes in between. */
struct shelf {
    struct taken **t;
    int n;
};

/* Half of a training step's storages live in its middle, where forward ends, and their places take
 * most of the search. As all of them meet each other, one of them need not look at the rest one by
 * one, only at what they cover together, which is little: they are stacked. ALL: every storage;
 * ASIDE: those that do not live in the middle; COVER: what the others cover. */
enum { ALL, ASIDE, COVER, SHELVES };
struct shelves {
    struct shelf at[SHELVES];
    struct taken *taken; /* the first is what ends the lists */
    int n, middle;
};

static int lives_in(const struct lifetime *life, int step)
{
    return life->first <= step && life->last >= step;
}

/* The offset behind those of a shelf, from *at on, that stand in the way of size bytes there. */
static size_t pass(struct taken ***at, const struct lifetime *life, size_t offset, size_t size)
{
    struct taken **t = *at;
    int first = life->first, last = life->last;
    for (; (*t)->offset < offset + size; t++) {
        int meets = ((*t)->first <= last) & (first <= (*t)->last);
        offset = meets & ((*t)->end > offset) ? (*t)->end : offset;
    }
    *at = t;
    return offset;
}

/* Where a search has come to: nothing fits below offset, and the first n of ALL end there. */
struct searched {
    size_t offset;
    int n;
};

/* The lowest offset where that size fits among what is placed and lives at the same time. Where two
 * shelves have a say: past one that is in the way, then look at the other again. */
static size_t lowest_gap(const struct shelves *sh, const struct lifetime *life, size_t size,
                         struct searched from)
{
    struct taken **all = sh->at[ALL].t + from.n, **aside = sh->at[ASIDE].t;
    struct taken **cover = sh->at[COVER].t;
    size_t offset = from.offset, before;
    if (!lives_in(life, sh->middle))
        return pass(&all, life, offset, size);
    while (from.n && (*aside)->offset < all[-1]->offset)
        aside++;
    do {
        before = pass(&cover, life, offset, size);
        offset = pass(&aside, life, before, size);
    } while (offset > before);
    return offset;
}

/* The highest offset where it fits and ends below `end`, if there is one. */
static int highest_gap(const struct shelf *all, const struct lifetime *life, size_t size,
                       size_t end, struct searched *at)
{
    size_t begin = 0, offset = 0; /* of a gap */
    int found = 0, i;
    for (i = 0; begin + size <= end; i++) { /* what ends the list is behind any end */
        const struct taken *t = all->t[i];
        int last = t->offset >= end;
        size_t until = last ? end : t->offset;
        if (!last && !((t->first <= life->last) & (life->first <= t->last)))
            continue;
        if (until >= begin + size) {
            offset = until - size;
            found = 1;
        }
        if (last)
            break;
        begin = t->end > begin ? t->end : begin;
    }
    *at = (struct searched){found ? offset : begin, i};
    return found;
}

/* Over gradients as late as can be: low ones are written last and serve those that live longest. */
size_t shelves_gap(const struct shelves *sh, struct lifetime life, size_t size, size_t gradients)
{
    struct searched at;
    return highest_gap(&sh->at[ALL], &life, size, gradients, &at) ? at.offset
                                                                  : lowest_gap(sh, &life, size, at);
}

static int put(struct shelf *shelf, struct taken *what)
{
    struct taken **t = shelf->t;
    int low = 0, high = shelf->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (t[middle]->offset <= what->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&t[low + 1], &t[low], (size_t)(++shelf->n - low) * sizeof *t);
    t[low] = what;
    return low;
}

/* Where the i-th ends the next begins: one instead of two. */
static void join(struct shelf *shelf, int i)
{
    struct taken **t = shelf->t;
    if (i < 0 || i + 1 >= shelf->n || t[i]->end != t[i + 1]->offset)
        return;
    t[i]->end = t[i + 1]->end;
    memmove(&t[i + 1], &t[i + 2], (size_t)(shelf->n-- - i - 1) * sizeof *t);
}

void shelves_take(struct shelves *sh, struct lifetime life, size_t offset, size_t size)
{
    struct taken *what = &sh->taken[sh->n++];
    *what = (struct taken){offset, offset + size, life.first, life.last};
    put(&sh->at[ALL], what);
    if (!lives_in(&life, sh->middle)) {
        put(&sh->at[ASIDE], what);
        return;
    }
    what = &sh->taken[sh->n++];
    *what = (struct taken){offset, offset + size, 0, INT_MAX};
    int i = put(&sh->at[COVER], what);
    join(&sh->at[COVER], i);
    join(&sh->at[COVER], i - 1);
}

struct shelves *shelves_new(int most, int middle)
{
    size_t room = (size_t)most + 1;
    struct shelves *sh = mem_zalloc(1, sizeof *sh);
    struct taken **lists = mem_alloc(SHELVES * room * sizeof *lists);
    sh->taken = mem_alloc(2 * room * sizeof *sh->taken);
    sh->taken[sh->n++] = (struct taken){.offset = SIZE_MAX};
    sh->middle = middle;
    for (int i = 0; i < SHELVES; i++) {
        sh->at[i].t = lists + (size_t)i * room;
        sh->at[i].t[0] = &sh->taken[0];
    }
    return sh;
}

void shelves_free(struct shelves *sh)
{
    free(sh->at[0].t);
    free(sh->taken);
    free(sh);
}
