/* vittm run: what is missing of an experiment. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "cli/cost.h"
#include "cli/models.h"
#include "cli/run_data.h"
#include "cli/run_machine.h"
#include "cli/schema.h"
#include "cli/store.h"
#include "results/listing.h"
#include "results/query.h"
#include "runner/enroll.h"
#include "runner/experiment.h"
#include "runner/folder.h"
#include "runner/launcher.h"
#include "runner/machine.h"
#include "runner/provenance.h"
#include "runner/schedule.h"
#include "runner/tensorboard.h"

static const char *launcher_name(int i)
{
    const struct launcher *l = launcher_at(i);
    return l ? l->choice.name : NULL;
}

static const struct option_spec options[] = {
    {.name = "jobs",
     .letter = 'j',
     .type = OPTION_INT,
     .value = "N",
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .doc = "runs at a time (0: as many as there are cores for)"},
    OPTION_THREADS("of each run (0: its share of the cores); changes no result but the latency"),
    OPTION_DEVICE("DEVICE", "auto, cpu, cuda or cuda:1"),
    {.name = "gpus",
     .type = OPTION_TEXT,
     .value = "LIST",
     .doc = "share runs out over these GPUs, each seeing its own: 0-3 or 0,2 (with --jobs 8, two a "
            "GPU of four)"},
    {.name = "launcher",
     .type = OPTION_CHOICE,
     .value = "NAME",
     .fallback = "local",
     .choice = launcher_name,
     .doc = "how runs are started"},
    {.name = "only",
     .type = OPTION_TEXT,
     .value = "EXPR",
     .doc = "only cells for which this holds: \"model.rw_head == linear\""},
    {.name = "retry-failed", .doc = "run again what failed or timed out earlier"},
    {.name = "dry-run", .doc = "say what would be done with each run, and do nothing"},
    {.name = "many", .doc = "allow more than 100,000 runs"},
    {.name = "out",
     .type = OPTION_TEXT,
     .value = "FOLDER",
     .fallback = "out",
     .doc = "where the runs' folders are; the database stays where --db says"},
    {.name = "tensorboard",
     .type = OPTION_TEXT,
     .value = "DIR",
     .doc = "also write the curves as TensorBoard event files, a folder a run"},
    OPTION_DB,
    OPTION_FORMAT,
    {0}};

/* Everything that is known before the first worker starts. Released by release(). */
struct plan_of_runs {
    const struct args *args;
    struct arena arena;
    struct experiment experiment;
    int loaded;
    double *images;   /* one a cell */
    const char *note; /* of a fallback, or NULL */
    struct run_machine machine;
};

static void release(struct plan_of_runs *p)
{
    if (p->loaded)
        experiment_release(&p->experiment);
    arena_release(&p->arena);
}

/* ---- the experiment ------------------------------------------------------------------------- */

static int load(struct plan_of_runs *p, const char *const *overrides, int n, struct error *err)
{
    const struct args *a = p->args;
    struct experiment *e = &p->experiment;
    struct experiment_source *source = ARENA_NEW(&p->arena, struct experiment_source);
    *source = (struct experiment_source){cli_schema(), models_roots(&p->arena)};
    if (p->loaded)
        experiment_release(e);
    *e = (struct experiment){0};
    p->loaded = 0;
    if (experiment_load(e, source, a->operands[0], overrides, n, err))
        return -1;
    p->loaded = 1;
    if (experiment_expand(e, &cli_cost_model, args_flag(a, "many"), err))
        return -1;
    return args_text(a, "only") && experiment_select(e, args_text(a, "only"), err) < 0 ? -1 : 0;
}

/* The same once more with the experiment's fallback on top of the command line. */
static int load_fallback(struct plan_of_runs *p, const char *missing, struct error *err)
{
    const struct args *a = p->args;
    const struct experiment *e = &p->experiment;
    int n = a->n_overrides;
    struct strbuf said = STRBUF_INIT;
    const char **all = ARENA_ARRAY(&p->arena, const char *, n + e->n_fallback);
    for (int i = 0; i < n; i++)
        all[i] = a->overrides[i];
    for (int i = 0; i < e->n_fallback; i++) {
        all[n++] = arena_printf(&p->arena, "%s=%s", e->fallback[i].key, e->fallback[i].text);
        strbuf_addf(&said, "%s%s", i ? ", " : "", all[n - 1]);
    }
    p->note = arena_printf(&p->arena, "%s is not there: run with %s", missing, said.text);
    fprintf(stderr, "vittm run: %s\n", err->msg);
    fprintf(stderr, "vittm run: going on with %s, as %s allows\n", said.text, e->file);
    strbuf_release(&said);
    *err = (struct error){0};
    return load(p, all, n, err);
}

static int check_data(struct plan_of_runs *p, struct error *err)
{
    const char *missing = "";
    int rc = run_data_check(&p->experiment, &p->arena, &p->images, &missing, err);
    if (!rc || !missing || err->code != EXIT_ENVIRONMENT || !p->experiment.n_fallback)
        return rc;
    if (load_fallback(p, missing, err))
        return -1;
    return run_data_check(&p->experiment, &p->arena, &p->images, &missing, err);
}

static int say_refused(const struct experiment *e, struct error *err)
{
    const char *reason = NULL;
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        if (c->state != CELL_REFUSED)
            continue;
        fprintf(stderr, "refused %s: %s\n", c->label && *c->label ? c->label : c->id, c->reason);
        reason = c->reason;
    }
    if (e->n_planned)
        return 0;
    if (reason)
        return error_code(err, experiment_refusal_code(e), "%s: no cell can be built (%s)", e->file,
                          reason);
    return error_set(err, "%s: no cell is left to run (`vittm plan %s` says why)", e->file,
                     e->file);
}

/* ---- TensorBoard ---------------------------------------------------------------------------- */

/* Runs that are done already; the scheduler writes those that it starts. */
static int board_done(const struct schedule_task *tasks, size_t count, const char *dir,
                      struct error *err)
{
    for (size_t i = 0; dir && i < count; i++)
        if (folder_has_result(tasks[i].folder) &&
            tensorboard_write(dir, tasks[i].label, tasks[i].run, tasks[i].folder, err))
            return -1;
    return 0;
}

/* ---- dry run -------------------------------------------------------------------------------- */

static int preview(const struct plan_of_runs *p, const struct schedule_task *tasks, size_t count,
                   const struct schedule_options *o, struct error *err)
{
    static const char *const names[] = {"run", "label", "would", "folder"};
    struct error ignored = {0};
    struct store *s = NULL;
    if (file_exists(args_db(p->args)) && !(s = cli_store_open(p->args, STORE_READ, err)))
        return -1;
    struct rows *r = rows_new(4, names);
    for (size_t i = 0; i < count; i++) {
        int fate = s ? schedule_fate(s, &tasks[i], o, &ignored) : SCHEDULE_START;
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], tasks[i].run);
        rows_set_text(r, &cell[1], tasks[i].label);
        rows_set_text(r, &cell[2],
                      schedule_fate_name(fate < 0 ? SCHEDULE_START : (enum schedule_fate)fate));
        rows_set_text(r, &cell[3], tasks[i].folder);
    }
    store_close(s);
    return cli_print(p->args, r, NULL, err);
}

/* ---- the real one --------------------------------------------------------------------------- */

static double images_of(void *context, const struct cell *c)
{
    const struct plan_of_runs *p = context;
    return p->images[c->index];
}

/* Numbers of different programs side by side are worth a word. */
static void warn_of_mixture(struct store *s, const char *experiment)
{
    long long commits = 0;
    struct error ignored = {0};
    if (store_query_integer(
            s, &ignored, &commits,
            "SELECT count(DISTINCT v.text) FROM v_env v JOIN v_runs r ON r.run = v.run"
            " WHERE v.key = 'commit' AND r.experiment = ?1 AND r.state = 'done'",
            "s", experiment) == 1 &&
        commits > 1)
        warn("%s mixes runs of %lld commits (`vittm diff` of two runs shows which)", experiment,
             commits);
}

static int start(struct plan_of_runs *p, struct store *s, struct enroll_options *enrolment,
                 struct schedule_options *o, struct error *err)
{
    struct schedule_task *tasks;
    struct schedule_report report;
    struct provenance provenance;
    size_t count;
    const struct experiment *e = &p->experiment;
    const struct provenance_command command = {.program = o->launch.program,
                                               .argc = p->args->argc,
                                               .argv = (const char *const *)p->args->argv};
    if (provenance_collect(&provenance, &command, p->machine.threads, &p->arena, err))
        return -1;
    if (p->note)
        provenance_add(&provenance, &p->arena, "fallback", p->note);
    if (enroll(s, e, enrolment, &p->arena, &tasks, &count, err))
        return -1;
    if (e->published && store_published(s, e->published, err))
        return -1;
    if (run_check_room(args_text(p->args, "out"), s, tasks, count, o, err) ||
        board_done(tasks, count, o->tensorboard, err))
        return -1;
    o->provenance = &provenance;
    int rc = schedule_run(s, tasks, count, o, &report, err);
    if (rc < 0)
        return -1;
    warn_of_mixture(s, e->name);
    const struct listing all = {.experiment = e->name};
    if (args_given(p->args, "format") && cli_print(p->args, listing_runs(s, &all, err), NULL, err))
        return -1;
    return rc;
}

static int go(struct plan_of_runs *p, struct error *err)
{
    const struct args *a = p->args;
    const struct experiment *e = &p->experiment;
    long long memory = machine_free_memory();
    struct enroll_options enrolment = {.out = args_text(a, "out"),
                                       .device = p->machine.device_text,
                                       .threads = p->machine.threads,
                                       .keep_members = args_text(a, "only") != NULL,
                                       .images = images_of,
                                       .context = p};
    struct schedule_options o = {
        .launcher = launcher_find(args_text(a, "launcher")),
        /* The image that runs now, whatever becomes of its file while runs wait. */
        .launch = {.program = "/proc/self/exe",
                   .name = a->argv[0],
                   .jobs = p->machine.jobs,
                   .threads = p->machine.threads,
                   .gpus = p->machine.gpus,
                   .n_gpus = p->machine.n_gpus},
        .retry_failed = args_flag(a, "retry-failed"),
        .retries = e->retries,
        .timeout_s = e->timeout_s,
        .stall_s = 600,
        .grace_s = 60,
        .memory_bytes =
            strcmp(p->machine.device.backend->choice.name, "cpu") || memory < 0 ? 0 : memory,
        .tensorboard = args_text(a, "tensorboard"),
        .progress_fd = STDERR_FILENO};
    if (p->note)
        enrolment.title =
            arena_printf(&p->arena, "%s (%s)", e->title ? e->title : e->name, p->note);
    if (args_flag(a, "dry-run")) {
        struct schedule_task *tasks;
        size_t count;
        enroll_preview(e, &enrolment, &p->arena, &tasks, &count);
        return preview(p, tasks, count, &o, err);
    }
    if (run_check_folder(args_text(a, "out"), err))
        return -1;
    struct store *s = cli_store_make(a, err);
    if (!s)
        return -1;
    fprintf(stderr, "%s: %d cell%s x %d seed%s on %s, %d at a time, %d thread%s each\n", e->name,
            e->n_planned, e->n_planned == 1 ? "" : "s", e->n_seeds, e->n_seeds == 1 ? "" : "s",
            p->machine.device.text, p->machine.jobs, p->machine.threads,
            p->machine.threads == 1 ? "" : "s");
    int rc = start(p, s, &enrolment, &o, err);
    store_close(s);
    return rc;
}

static int run(const struct args *a, struct error *err)
{
    struct plan_of_runs p = {.args = a};
    int rc = load(&p, a->overrides, a->n_overrides, err) || say_refused(&p.experiment, err) ||
                     check_data(&p, err) ||
                     run_machine_open(&p.machine, a, &p.experiment, &p.arena, err)
                 ? -1
                 : 0;
    if (!rc)
        rc = go(&p, err);
    release(&p);
    return rc;
}

const struct command command_run = {
    .name = "run",
    .group = "Experiments",
    .summary = "run what is missing of an experiment; resume what was interrupted",
    .operands = "FILE.yaml [key=value …]",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_FILE,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details =
        "A process per run; done runs are kept, interrupted ones go on from their checkpoint, so "
        "the same command may be given again after anything. Ctrl-C stops launching and lets "
        "running cells write a checkpoint; a second one stops at once.\n\n"
        "With --format the runs of the experiment are listed on stdout in the end, as by `vittm "
        "ls`.\n\n"
        "Exit codes: 0 all done, 1 a run failed, 2 the experiment is wrong, 3 something is missing "
        "on this machine, 75 interrupted (run again to go on), 130 on Ctrl-C.",
    .examples = "  vittm run experiments/quick.yaml           run, or go on\n"
                "  vittm run experiments/quick.yaml seeds=5   two more seeds of each cell\n"
                "  vittm run quick.yaml model.dim=64,96,128   one more axis\n"
                "  vittm run quick.yaml --only \"model.fusion == add\"\n",
    .run = run,
};
