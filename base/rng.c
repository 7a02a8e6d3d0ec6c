/* Philox-4x32-10 and the distributions on top of it. */
#include "base/rng.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t rng_hash(const char *purpose)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)purpose; *p; p++)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

static uint64_t mix(uint64_t x) /* splitmix64's finaliser: spreads small a and b over all bits */
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void rng_init_hashed(struct rng *r, uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b)
{
    memset(r, 0, sizeof *r);
    uint64_t key = mix(seed ^ mix(purpose));
    uint64_t stream = mix(mix(key ^ a) ^ b);
    r->key[0] = (uint32_t)key;
    r->key[1] = (uint32_t)(key >> 32);
    r->counter[2] = (uint32_t)stream;
    r->counter[3] = (uint32_t)(stream >> 32);
    r->used = 4;
}

void rng_init(struct rng *r, uint64_t seed, const char *purpose, uint64_t a, uint64_t b)
{
    rng_init_hashed(r, seed, rng_hash(purpose), a, b);
}

uint32_t rng_u32(struct rng *r)
{
    if (r->used == 4) {
        rng_philox(r->block, r->counter, r->key);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

double rng_uniform(struct rng *r)
{
    return rng_u32(r) * 0x1p-32;
}

double rng_range(struct rng *r, double lo, double hi)
{
    return lo + (hi - lo) * rng_uniform(r);
}

int64_t rng_below(struct rng *r, int64_t n)
{
    ASSERT(n >= 1 && n <= (int64_t)1 << 32);
    uint64_t bound = (uint64_t)n;
    uint64_t limit = ((uint64_t)1 << 32) / bound * bound;
    uint32_t x;
    do
        x = rng_u32(r);
    while (x >= limit);
    return (int64_t)(x % bound);
}

double rng_normal(struct rng *r)
{
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    double u = (rng_u32(r) + 0.5) * 0x1p-32; /* never 0 */
    double angle = 2 * M_PI * rng_uniform(r);
    double radius = sqrt(-2 * log(u));
    r->spare = radius * sin(angle);
    r->has_spare = 1;
    return radius * cos(angle);
}

void rng_permutation(struct rng *r, int32_t *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = rng_below(r, i + 1);
        out[i] = out[j];
        out[j] = (int32_t)i;
    }
}
