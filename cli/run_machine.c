#include "cli/run_machine.h"

#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "runner/experiment.h"
#include "runner/gpus.h"
#include "runner/machine.h"
#include "runner/schedule.h"
#include "train/keys.h"

static int min_of(int a, int b)
{
    return a < b ? a : b;
}

/* Cores shared evenly between as many runs as there are. A device other than the CPU has one run at
 * a time unless more are asked for. */
static void share_cores(struct run_machine *m, const struct args *a, const struct experiment *e)
{
    int list[1024], cores = machine_cores(list, 1024);
    int runs = e->n_planned * e->n_seeds;
    int jobs = (int)args_int(a, "jobs"), threads = (int)args_int(a, "threads");
    cores = cores < 1 ? 1 : cores;
    if (!jobs && strcmp(m->device.backend->choice.name, "cpu"))
        jobs = m->n_gpus ? m->n_gpus : 1;
    if (!jobs)
        jobs = threads ? (cores / threads ? cores / threads : 1) : cores;
    m->jobs = min_of(jobs, runs > 0 ? runs : 1);
    m->threads = threads ? threads : cores / m->jobs ? cores / m->jobs : 1;
}

/* Every precision that a cell asks for, before anything runs. */
static int check_precisions(const struct run_machine *m, const struct experiment *e,
                            struct error *err)
{
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        struct device d = m->device;
        if (c->state != CELL_PLANNED)
            continue;
        if (device_set_precision(&d, train_precision(c->config), err))
            return error_prefix(err, "train.precision");
        if (device_set_precision(&d, latency_precision(c->config), err))
            return error_prefix(err, "latency.precision");
    }
    return 0;
}

static int open_device(struct run_machine *m, const struct args *a, const struct experiment *e,
                       struct error *err)
{
    const char *asked = args_text(a, "device");
    if (device_open(&m->device, asked, (int)args_int(a, "threads"), err))
        return -1;
    if (check_precisions(m, e, err))
        return -1;
    m->device_text = strcmp(asked, "auto") ? asked : m->device.backend->choice.name;
    return 0;
}

/* The GPUs of --gpus, which a run sees one of: the device is then "cuda", whichever it is. */
static int choose_gpus(struct run_machine *m, const struct args *a, struct arena *arena,
                       struct error *err)
{
    const char *list = args_text(a, "gpus");
    if (list == NULL)
        return 0;
    if (strcmp(m->device_text, "cuda"))
        return error_set(
            err, "--gpus shares runs out over GPUs, but the device is %s%s", m->device_text,
            strncmp(m->device_text, "cuda:", 5) ? " (--device cuda)" : ": say --device cuda");
    m->n_gpus = gpus_parse(list, arena, &m->gpus, err);
    return m->n_gpus < 0 ? error_prefix(err, "--gpus %s", list) : 0;
}

int run_machine_open(struct run_machine *m, const struct args *a, const struct experiment *e,
                     struct arena *arena, struct error *err)
{
    *m = (struct run_machine){0};
    if (open_device(m, a, e, err) || choose_gpus(m, a, arena, err))
        return -1;
    share_cores(m, a, e);
    return 0;
}

int run_check_folder(const char *out, struct error *err)
{
    struct strbuf probe = STRBUF_INIT;
    strbuf_addf(&probe, "%s/.writable", out);
    int rc = file_make_folder(out, err) || file_write(probe.text, "", 0, err) ? -1 : 0;
    if (!rc)
        unlink(probe.text);
    strbuf_release(&probe);
    return rc;
}

int run_check_room(const char *out, struct store *s, const struct schedule_task *tasks,
                   size_t count, const struct schedule_options *o, struct error *err)
{
    long long needed = 0, room = machine_free_bytes(out);
    for (size_t i = 0; i < count; i++) {
        int fate = schedule_fate(s, &tasks[i], o, err);
        if (fate < 0)
            return -1;
        if (fate == SCHEDULE_START || fate == SCHEDULE_RESUME || fate == SCHEDULE_RETRY)
            needed += tasks[i].disk_bytes;
    }
    if (room < 0 || needed <= room)
        return 0;
    return error_env(err,
                     "%s: %.1f MB are free, but the runs need about %.1f MB (choose another place "
                     "with --out)",
                     out, (double)room * 1e-6, (double)needed * 1e-6);
}
