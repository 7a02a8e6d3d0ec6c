/* vittm worker: one run, started by the runner. */
#include "cli/command.h"

#include "train/worker.h"

static int run(const struct args *a, struct error *err)
{
    return worker_run(a->operands[0], err);
}

const struct command command_worker = {
    .name = "worker",
    .group = "Experiments",
    .summary = "train one run in its folder; started by `vittm run`, not by people",
    .operands = "FOLDER",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_FILE,
    .flags = COMMAND_HIDDEN,
    .details = "FOLDER holds run.yaml. Progress, curves, checkpoints and the result are written "
               "next to it. SIGTERM, SIGINT and SIGUSR1 stop it after the current step with a "
               "checkpoint and exit code 75; the same command goes on from there, to the same "
               "bits.",
    .run = run,
};
