/* Where a run's numbers come from: source, binary, machine, environment. Collected once a command,
 * stored with every run it starts as FOLDER/provenance.json (so that a folder found by a later
 * command keeps its own), and read back when the run is taken into the database. */
#ifndef RUNNER_PROVENANCE_H
#define RUNNER_PROVENANCE_H

#include <stddef.h>

struct arena;
struct error;
struct store_fact;

/* What the command line knows. */
struct provenance_command {
    const char *program; /* path of the binary */
    int argc;            /* the command line as typed */
    const char *const *argv;
};

struct provenance {
    struct store_fact *facts; /* in the arena */
    size_t count, cap;
};

/* Fails only where the binary cannot be read. The source facts are those compiled in
 * (base/version.h): they describe the binary that runs, whatever has been edited since. Facts:
 * version commit dirty diff binary_sha256 compiler flags kernel_flags libc libraries command_line
 * working_folder host os cpu microcode cores cores_allowed threads memory_bytes, and of the
 * environment the variables on a fixed list (env.OMP_NUM_THREADS, env.SLURM_JOB_ID, …): nothing
 * else of it is ever stored. */
int provenance_collect(struct provenance *p, const struct provenance_command *command, int threads,
                       struct arena *arena, struct error *err);

/* FOLDER/provenance.json. Reading a missing or unreadable one gives no facts. */
int provenance_write(const struct provenance *p, const char *folder, struct error *err);
void provenance_read(struct provenance *p, const char *folder, struct arena *arena);
/* Adds or replaces; key and text are copied. */
void provenance_add(struct provenance *p, struct arena *arena, const char *key, const char *text);

#endif
