/* Speed of planning: an experiment of 10,000 cells, from its file to the costs of every cell, with
 * a goal of 1 s; once with 4 models under 2,500 recipes, once with 10,000 models. Wall time, and
 * processor time for machines that have other work. Exits 1 where a goal is missed. Usage:
 * bench_plan [FOLDER] */
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/cost.h"
#include "cli/models.h"
#include "cli/schema.h"
#include "runner/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char recipes[] =
    "grid: {model.rw_head: [linear, cross], model.fusion: [erase, add],\n"
    "  train.lr: 'logspace(1e-5, 1e-1, 50)', train.weight_decay: 'logspace(1e-5, 1e-1, 50)'}\n";
static const char models[] =
    "grid: {model.rw_head: [linear, cross], model.fusion: [erase, add],\n"
    "  model.dim: 'range(24, 174, 3)', model.depth: 'range(1, 6)', model.mlp_ratio: 'range(1, "
    "11)'}\n";
static const char common[] = "model: {family: vittm, image_size: 32, classes: 10, dim: 48, depth: "
                             "4, heads: 3, memory_patch: "
                             "4, process_patch: 8, latent_dim: 24}\n"
                             "data: {dataset: cifar10}\nseeds: 1\n";

static double processor_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int bench(const char *path, const char *what, const char *grid)
{
    struct error err = {0};
    struct arena arena = {0};
    struct experiment_source source = {cli_schema(), models_roots(&arena)};
    struct experiment e;
    char text[2000];
    snprintf(text, sizeof text, "name: bench\n%s%s", grid, common);
    double wall = clock_now(), used = processor_s();
    if (file_write(path, text, strlen(text), &err) ||
        experiment_load(&e, &source, path, NULL, 0, &err) ||
        experiment_expand(&e, &cli_cost_model, 0, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        exit(EXIT_ENVIRONMENT);
    }
    wall = clock_now() - wall;
    used = processor_s() - used;
    printf("%-44s %10.3f %-8s goal <= 1%s   (processor %.3f s, %d planned)\n", what, wall, "s",
           wall <= 1 ? "" : " MISSED", used, e.n_planned);
    experiment_release(&e);
    arena_release(&arena);
    unlink(path);
    return wall > 1;
}

int main(int argc, char **argv)
{
    /* As the program itself starts: without threads of OpenBLAS that look for work. */
    if (!getenv("OPENBLAS_NUM_THREADS") && !setenv("OPENBLAS_NUM_THREADS", "1", 1))
        execv("/proc/self/exe", argv);
    struct error err = {0};
    char path[500];
    const char *folder = argc > 1 ? argv[1] : "build/tmp";
    if (file_make_folder(folder, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return EXIT_ENVIRONMENT;
    }
    snprintf(path, sizeof path, "%s/bench_plan.yaml", folder);
    int missed = bench(path, "plan 10,000 cells of 4 models", recipes);
    missed |= bench(path, "plan 10,000 cells of 10,000 models", models);
    return missed ? EXIT_FAILED : EXIT_FINE;
}
