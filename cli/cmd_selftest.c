/* vittm selftest: the contracts of this build on this machine, and reference tensors. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/selftest/selftest.h"

static const struct option_spec options[] = {
    {.name = "backend",
     .type = OPTION_TEXT,
     .value = "NAMES",
     .fallback = "cpu,judge",
     .doc = "devices to test, with commas"},
    {.name = "golden",
     .type = OPTION_LIST,
     .value = "FOLDER",
     .doc = "compare with the reference tensors of a folder instead"},
    {.name = "part",
     .type = OPTION_TEXT,
     .value = "NAME",
     .fallback = "all",
     .doc = "one part alone: kernels, ops, planner or models"},
    {.name = "graphs",
     .type = OPTION_INT,
     .value = "N",
     .fallback = "10000",
     .min = 1,
     .max = 1e9,
     .doc = "random graphs for the memory planner"},
    {.name = "threads",
     .type = OPTION_INT,
     .value = "N",
     .fallback = "1",
     .min = 1,
     .max = 256,
     .doc = "threads for reference tensors"},
    {.name = "verbose", .letter = 'v', .doc = "a line for every passed case too"},
    {0}};

/* "cpu,judge" -> the backends that can run here; one that cannot is skipped with its reason. */
static int find_backends(struct selftest *t, const char *names, const struct backend **found,
                         struct error *err)
{
    int n = 0;
    char name[64];
    for (const char *p = names; *p;) {
        size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        const struct backend *b = backend_find(name);
        if (!b || n == SELFTEST_BACKENDS)
            return error_set(err, "--backend: there is no device %s (vittm list devices)", name);
        char device[128];
        struct error why = {0};
        struct backend_options bo = {.threads = t->threads};
        b = backend_open(b, &bo, device, sizeof device, &why);
        if (!b)
            selftest_skip(t, name, "%s", why.msg);
        else
            found[n++] = b;
        p += len + (p[len] == ',');
        if (!*p && n == 0)
            return error_env(err, "none of the devices %s works here: %s", names, why.msg);
    }
    return 0;
}

static void planner(struct selftest *t, const struct args *a)
{
    selftest_planner(t, (int)args_int(a, "graphs"));
}

static void kernels(struct selftest *t, const struct args *a)
{
    (void)a;
    selftest_kernels(t);
}

static void ops(struct selftest *t, const struct args *a)
{
    (void)a;
    selftest_ops(t);
}

static void models(struct selftest *t, const struct args *a)
{
    (void)a;
    selftest_models(t);
}

static const struct part {
    const char *name;
    void (*run)(struct selftest *t, const struct args *a);
} parts[] = {{"kernels", kernels}, {"ops", ops}, {"planner", planner}, {"models", models}};

static int run_parts(struct selftest *t, const struct args *a, struct error *err)
{
    const char *wanted = args_text(a, "part");
    int all = !strcmp(wanted, "all"), known = all;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (all || !strcmp(wanted, parts[i].name)) {
            parts[i].run(t, a);
            known = 1;
        }
    return known
               ? 0
               : error_set(err, "--part: there is no part %s (all, kernels, ops, planner, models)",
                           wanted);
}

/* How many of the cases were about each device, where there are such. */
static void print_counts(const struct selftest *t)
{
    for (int i = 0; t->backends[i]; i++)
        if (t->of[i].passed + t->of[i].failed || strcmp(t->backends[i]->choice.name, "judge"))
            printf("%s: %d passed, %d failed\n", t->backends[i]->choice.name, t->of[i].passed,
                   t->of[i].failed);
    if (t->of_none.passed + t->of_none.failed)
        printf("whatever the device: %d passed, %d failed\n", t->of_none.passed, t->of_none.failed);
}

static int run(const struct args *a, struct error *err)
{
    const struct backend *found[SELFTEST_BACKENDS + 1] = {0};
    struct selftest t = {.backends = found,
                         .threads = (int)args_int(a, "threads"),
                         .verbose = args_flag(a, "verbose")};
    if (find_backends(&t, args_text(a, "backend"), found, err))
        return -1;
    for (int i = 0; i < args_given(a, "golden"); i++)
        if (selftest_golden(&t, args_nth(a, "golden", i), err))
            return -1;
    if (!args_given(a, "golden") && run_parts(&t, a, err))
        return -1;
    print_counts(&t);
    printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped);
    return t.failed ? EXIT_FAILED : EXIT_FINE;
}

const struct command command_selftest = {
    .name = "selftest",
    .group = "About the program",
    .summary = "check this build on this machine",
    .options = options,
    .details =
        "Without --golden: kernels of devices other than the processor against it, products in "
        "lower precision, the processor's bf16 too, against double, gradients of every op against "
        "differences in double, fused ops against their expansion, the memory planner on random "
        "graphs, and every combination of read-write head, fusion, memory block and "
        "initialisation, every family, objective, decoder and token reduction; ops, random graphs "
        "and models also on every device named, against double and for the same bits each run.\n\n"
        "With --golden: every reference file of a folder. Models with stored parameters, outputs, "
        "losses and gradients, within 1e-4 of each tensor's norm in float, 1e-6 in double; merges "
        "of tokens, losses, optimiser steps, schedules, images and their files, augmentation, "
        "resampled weights, segmentation, each within its own bounds.\n\n"
        "The last lines say how many cases each device ran, and how many no device has a part in "
        "(gradient rules, plans, refusals: they run in double whatever is named).",
    .examples = "  vittm selftest\n"
                "  vittm selftest --golden tests/golden --backend cpu\n"
                "  vittm selftest --backend sim --part models",
    .run = run,
};
