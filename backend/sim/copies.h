/* Copies to shared memory that go on while a CUDA thread computes, on the emulated device: those
 * that a thread has ordered and not waited for. Where streams are eager (options.h) a copy is done
 * at once, where they are lazy in the wait that covers it, at random in either. Until then nobody
 * may look at where it goes: the place holds NaN. copy.h moves the bytes, under the sanitizers. */
#ifndef BACKEND_SIM_COPIES_H
#define BACKEND_SIM_COPIES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SIM_COPY_BYTES = 16, SIM_COPIES_MAX = 128 };

/* bytes of SIM_COPY_BYTES are read, the others become 0. */
struct sim_copy {
    void *to;
    const void *from;
    int bytes, group;
};

/* Of a CUDA thread. Zero-initialise. */
struct sim_copies {
    int count, group; /* group: closed ones */
    struct sim_copy waiting[SIM_COPIES_MAX];
};

/* Notes a copy; 1: it is to be done now. Ends the process where an address is no multiple of
 * SIM_COPY_BYTES or the place is not in shared memory. */
int sim_copy_order(const struct sim_copy *c, const char *file, int line);

/* What was ordered since the last call is a group. */
void sim_copies_close(void);

/* The next copy to be done so that at most `left` groups are under way; 0: there is none. */
int sim_copy_due(int left, struct sim_copy *c);

#ifdef __cplusplus
}
#endif
#endif
