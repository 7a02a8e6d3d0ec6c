/* PyTorch beside us: tools/bench_torch.py, asked through pipes. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdio.h>
#include <sys/types.h>

#include "bench/subject.h"

/* Owned by the caller; zeroed where there is none. */
struct peer {
    pid_t pid;
    FILE *to, *from;
    char about[200]; /* "PyTorch 2.1, AVX512, …", or why there is none */
};

/* Starts $PYTHON (python3) with the script. Returns 1, or 0 where it cannot be used. */
int peer_open(struct peer *p);
void peer_close(struct peer *p);

/* The same model there, by the name id; its number of parameters must be l's. Returns 0, or -1 and
 * says why on stderr. */
int peer_load(struct peer *p, const char *id, const struct subject *s, const struct loaded *l,
              enum precision precision, int compiled);
/* Seconds a call of so many calls; negative where it failed. */
double peer_run(struct peer *p, const char *id, int calls);
/* Its largest resident memory so far, bytes. */
double peer_resident(struct peer *p);

#endif
