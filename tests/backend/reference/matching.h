/* Which tokens merge. */
#include "tests/backend/reference/shared.h"

/* At least half of the tokens of any case. */
#define TEST_HALF 128

static REF_REAL REF(cosine)(const REF_REAL *x, const REF_REAL *y, int64_t n)
{
    REF_REAL xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < n; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
    }
    return xy / (REF(sqrt_of)(xx) * REF(sqrt_of)(yy));
}

/* One batch element: a score for every pair, and which tokens may still be chosen. */
struct REF(pairs) {
    const REF_REAL *scores;
    int64_t a, b;
    int open_a[TEST_HALF], open_b[TEST_HALF], protect, shut;
};

/* The partner with the highest score, the lowest index first; -1 where there is none. */
static int64_t REF(partner)(const struct REF(pairs) * p, int64_t i, int from_a)
{
    int64_t best = -1;
    for (int64_t k = from_a ? p->shut : p->protect; k < (from_a ? p->b : p->a); k++) {
        REF_REAL score = from_a ? p->scores[i * p->b + k] : p->scores[k * p->b + i];
        REF_REAL top = best < 0 ? 0
                       : from_a ? p->scores[i * p->b + best]
                                : p->scores[best * p->b + i];
        if ((from_a || p->open_a[k]) && (best < 0 || score > top))
            best = k;
    }
    return best;
}

/* The open token whose best score is highest; -1 where none is left. */
static int64_t REF(next)(const struct REF(pairs) * p, int from_a)
{
    int64_t best = -1;
    REF_REAL top = 0;
    for (int64_t i = from_a ? p->protect : 0; i < (from_a ? p->a : p->b); i++) {
        int64_t k = REF(partner)(p, i, from_a);
        if (k < 0 || !(from_a ? p->open_a[i] : p->open_b[i]))
            continue;
        REF_REAL score = from_a ? p->scores[i * p->b + k] : p->scores[k * p->b + i];
        if (best < 0 || score > top) {
            best = i;
            top = score;
        }
    }
    return best;
}

static struct REF(pairs) REF(open_pairs)(const REF_REAL *scores, int64_t tokens)
{
    struct REF(pairs) p = {.scores = scores, .a = (tokens + 1) / 2, .b = tokens / 2};
    for (int i = 0; i < TEST_HALF; i++)
        p.open_a[i] = p.open_b[i] = 1;
    return p;
}

static void REF(tome_one)(const struct tome_attr *t, const REF_REAL *scores, int64_t tokens,
                          int32_t *assign)
{
    struct REF(pairs) p = REF(open_pairs)(scores, tokens);
    int64_t partner[TEST_HALF], order[TEST_HALF], n = 0, kept = p.a - t->r;
    p.protect = t->class_token;
    p.shut = t->distill;
    for (int64_t i = 0; i < p.a; i++)
        partner[i] = -1;
    for (int64_t i = 0; i < t->r; i++) {
        int64_t a = REF(next)(&p, 1);
        partner[a] = REF(partner)(&p, a, 1);
        p.open_a[a] = 0;
    }
    if (t->class_token) {
        for (int64_t i = 0; i < p.a; i++)
            if (p.open_a[i])
                order[n++] = i;
    } else {
        for (int64_t a = REF(next)(&p, 1); a >= 0; a = REF(next)(&p, 1)) {
            order[n++] = a;
            p.open_a[a] = 0;
        }
    }
    int distill = t->distill && kept > 0;
    for (int64_t i = 0; i < n; i++)
        assign[2 * order[i]] = (int32_t)(i == 0 ? 0 : i + distill);
    for (int64_t j = 0; j < p.b; j++)
        assign[2 * j + 1] = (int32_t)(distill && j == 0 ? 1 : kept + j);
    for (int64_t i = 0; i < p.a; i++)
        if (partner[i] >= 0)
            assign[2 * i] = assign[2 * partner[i] + 1];
}

static void REF(tome_match)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    struct shape s = n->in[0]->shape;
    int64_t tokens = s.dim[1], a = (tokens + 1) / 2, b = tokens / 2, width = s.dim[2];
    for (int64_t k = 0; k < s.dim[0]; k++) {
        const REF_REAL *x = in[0] + k * tokens * width;
        REF_REAL *scores = out[1] + k * a * b;
        for (int64_t i = 0; i < a * b; i++)
            scores[i] = REF(cosine)(x + 2 * (i / b) * width, x + (2 * (i % b) + 1) * width, width);
        REF(tome_one)
        (n->attr, scores, tokens, (int32_t *)(void *)out[0] + k * tokens);
    }
}

/* 1/x as a part of its largest value. */
static REF_REAL REF(rarity)(const REF_REAL *x, int64_t tokens, int64_t i)
{
    REF_REAL least = x[0];
    for (int64_t k = 1; k < tokens; k++)
        least = x[k] < least ? x[k] : least;
    return least / x[i];
}

static REF_REAL REF(power)(REF_REAL x, double tau)
{
    return tau > 0 ? (REF_REAL)pow((double)x, 1 / tau) : 1;
}

static void REF(mctf_one)(const struct mctf_attr *m, const REF_REAL *scores, int64_t tokens,
                          int32_t *assign)
{
    struct REF(pairs) p = REF(open_pairs)(scores, tokens);
    int64_t into_b[TEST_HALF], into_a[TEST_HALF], place[TEST_HALF],
        n1 = m->bidirectional ? m->n / 2 : m->n, kept = 0;
    p.protect = m->protect;
    for (int64_t i = 0; i < TEST_HALF; i++)
        into_b[i] = into_a[i] = -1;
    for (int64_t i = 0; i < n1; i++) {
        int64_t a = REF(next)(&p, 1);
        into_b[a] = REF(partner)(&p, a, 1);
        p.open_a[a] = 0;
    }
    for (int64_t i = 0; i < p.a; i++)
        place[i] = p.open_a[i] ? kept++ : -1;
    int64_t at = kept;
    for (int64_t i = 0; i < p.b; i++) {
        int64_t b = m->bidirectional ? REF(next)(&p, 0) : i;
        if (m->bidirectional && i < m->n - n1)
            into_a[b] = REF(partner)(&p, b, 0);
        assign[2 * b + 1] = (int32_t)(into_a[b] >= 0 ? place[into_a[b]] : at++);
        p.open_b[b] = 0;
    }
    for (int64_t i = 0; i < p.a; i++)
        assign[2 * i] = (int32_t)(place[i] >= 0 ? place[i] : assign[2 * into_b[i] + 1]);
}

static void REF(mctf_match)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct mctf_attr *m = n->attr;
    struct shape s = n->in[0]->shape;
    int64_t tokens = s.dim[1], a = (tokens + 1) / 2, b = tokens / 2, width = s.dim[2];
    for (int64_t k = 0; k < s.dim[0]; k++) {
        const REF_REAL *x = in[0] + k * tokens * width, *info = in[1] + k * tokens;
        const REF_REAL *size = n->n_in == 3 ? in[2] + k * tokens : NULL;
        REF_REAL *scores = out[1] + k * a * b;
        for (int64_t i = 0; i < a * b; i++) {
            int64_t t = 2 * (i / b), u = 2 * (i % b) + 1;
            REF_REAL half = (REF(cosine)(x + t * width, x + u * width, width) + 1) / 2;
            scores[i] = REF(power)(half < 0 ? 0 : half, m->tau_sim);
            scores[i] *= REF(power)(REF(rarity)(info, tokens, t) * REF(rarity)(info, tokens, u),
                                    m->tau_info);
            if (size)
                scores[i] *= REF(power)(REF(rarity)(size, tokens, t) * REF(rarity)(size, tokens, u),
                                        m->tau_size);
        }
        REF(mctf_one)
        (m, scores, tokens, (int32_t *)(void *)out[0] + k * tokens);
    }
}
