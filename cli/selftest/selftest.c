/* Counting verdicts, and the walk over a folder of golden files. */
#include "cli/selftest/selftest.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *verdict, const char *name, const char *fmt, va_list ap)
{
    printf("%s %s: ", verdict, name);
    vprintf(fmt, ap);
    putchar('\n');
}

void selftest_on(struct selftest *t, const char *backend)
{
    t->now = NULL;
    for (int i = 0; backend && t->backends[i]; i++)
        if (!strcmp(t->backends[i]->choice.name, backend))
            t->now = &t->of[i];
}

static struct selftest_count *now(struct selftest *t)
{
    return t->now ? t->now : &t->of_none;
}

void selftest_pass(struct selftest *t, const char *name, const char *fmt, ...)
{
    t->passed++;
    now(t)->passed++;
    if (!t->verbose)
        return;
    va_list ap;
    va_start(ap, fmt);
    say("ok", name, fmt, ap);
    va_end(ap);
}

void selftest_fail(struct selftest *t, const char *name, const char *fmt, ...)
{
    t->failed++;
    now(t)->failed++;
    va_list ap;
    va_start(ap, fmt);
    say("not ok", name, fmt, ap);
    va_end(ap);
}

void selftest_skip(struct selftest *t, const char *name, const char *fmt, ...)
{
    t->skipped++;
    va_list ap;
    va_start(ap, fmt);
    say("skip", name, fmt, ap);
    va_end(ap);
}

static int is_golden(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && !strcmp(dot, ".safetensors");
}

int selftest_golden(struct selftest *t, const char *folder, struct error *err)
{
    struct dirent **names;
    int n = scandir(folder, &names, is_golden, alphasort);
    if (n < 0)
        return error_env(err, "%s: %s", folder, strerror(errno));
    if (n == 0)
        error_env(err, "%s: no .safetensors files here", folder);
    for (int i = 0; i < n; i++) {
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s/%s", folder, names[i]->d_name);
        selftest_golden_model(t, names[i]->d_name, path.text);
        strbuf_release(&path);
        free(names[i]);
    }
    free(names);
    return n ? 0 : -1;
}
