/* What `vittm run` finds on the machine: a device, how many runs it takes at a time, room on the
 * disk. */
#ifndef CLI_RUN_MACHINE_H
#define CLI_RUN_MACHINE_H

#include "train/device.h"

#include <stddef.h>

struct args;
struct arena;
struct experiment;
struct schedule_options;
struct schedule_task;
struct store;

struct run_machine {
    struct device device;
    const char *device_text; /* what runs are told: --device, or what auto found */
    int jobs, threads;       /* runs at a time, threads of each */
    const char *const *gpus; /* of --gpus, a run each; in the arena */
    int n_gpus;
};

/* Opens --device and --gpus, refuses a precision that a planned cell asks for and the device lacks,
 * and shares the cores out. */
int run_machine_open(struct run_machine *m, const struct args *a, const struct experiment *e,
                     struct arena *arena, struct error *err);

/* Makes the folder and refuses one that cannot be written to. */
int run_check_folder(const char *out, struct error *err);

/* Refuses runs whose files have no room in the folder; what is done already needs none. */
int run_check_room(const char *out, struct store *s, const struct schedule_task *tasks,
                   size_t count, const struct schedule_options *o, struct error *err);

#endif
