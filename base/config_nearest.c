/* "Did you mean": the nearest of the known names. */
#include "base/config.h"

#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"

enum { MAX_NAME = 64 };

static int least(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap neighbours) between two names; case and "-" against "_" are
 * free. */
static int distance(const char *a, const char *b)
{
    int rows[3][MAX_NAME + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MAX_NAME || m > MAX_NAME)
        return 2 * MAX_NAME;
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int x = a[i - 1] == '-' ? '_' : tolower((unsigned char)a[i - 1]);
            int y = b[j - 1] == '-' ? '_' : tolower((unsigned char)b[j - 1]);
            now[j] = least(now[j - 1] + 1, above[j] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *config_nearest(const char *name, const char *(*candidate)(const void *ctx, int i),
                           const void *ctx)
{
    int best = 1 + (int)strlen(name) / 3; /* more edits than a third is another word */
    const char *nearest = NULL, *known;
    for (int i = 0; (known = candidate(ctx, i)); i++) {
        int d = distance(name, known);
        if (d < best) {
            best = d;
            nearest = known;
        }
    }
    return nearest;
}

/* Of names of several parts. */
struct parts {
    const char *(*candidate)(const void *ctx, int i);
    const void *ctx;
};

static const char *tail_of(const char *name)
{
    const char *tail = name;
    for (const char *s = name; *s; s++)
        if (*s == '.' || *s == '/')
            tail = s + 1;
    return tail;
}

static const char *tail_at(const void *ctx, int i)
{
    const struct parts *p = ctx;
    const char *name = p->candidate(p->ctx, i);
    return name ? tail_of(name) : NULL;
}

static int is_among(const char **names, int n, const char *name)
{
    while (n-- > 0)
        if (!strcmp(names[n], name))
            return 1;
    return 0;
}

int config_near(const char *name, const char *(*candidate)(const void *ctx, int i), const void *ctx,
                const char *near[CONFIG_NEAR])
{
    const struct parts parts = {candidate, ctx};
    const char *known;
    near[0] = config_nearest(name, candidate, ctx);
    const char *tail = near[0] ? NULL : config_nearest(tail_of(name), tail_at, &parts);
    int n = near[0] != NULL;
    for (int i = 0; tail && n < CONFIG_NEAR && (known = candidate(ctx, i)); i++)
        if (!strcmp(tail_of(known), tail) && !is_among(near, n, known))
            near[n++] = known;
    return n;
}

void config_hint(struct strbuf *out, const char *name,
                 const char *(*candidate)(const void *ctx, int i), const void *ctx)
{
    const char *near[CONFIG_NEAR];
    int n = config_near(name, candidate, ctx, near);
    for (int i = 0; i < n; i++)
        strbuf_addf(out, "%s%s", i == 0 ? " (did you mean " : i + 1 == n ? " or " : ", ", near[i]);
    strbuf_adds(out, n ? "?)" : "");
}

static const char *full_name(const void *ctx, int i)
{
    return config_name(ctx, i);
}

static const char *last_part(const void *ctx, int i)
{
    const char *name = config_name(ctx, i), *dot = name ? strrchr(name, '.') : NULL;
    return dot ? dot + 1 : name;
}

const char *config_suggest(const struct config *c, const char *key)
{
    const char *near = config_nearest(key, full_name, c), *dot = strrchr(key, '.'), *part;
    if (near)
        return near;
    part = config_nearest(dot ? dot + 1 : key, last_part, c);
    for (int i = 0; part && config_name(c, i); i++)
        if (last_part(c, i) == part)
            return config_name(c, i);
    return NULL;
}
