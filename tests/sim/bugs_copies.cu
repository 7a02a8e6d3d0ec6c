/* Planted bugs of asynchronous copies: two groups, each waited for, then read by other threads. */
#include "backend/cuda/kernels/copy.h"
#include "tests/sim/bugs.h"

enum copy_fault {
    NO_FAULT,
    NO_WAIT,
    ONE_FEWER,
    NO_BARRIER,
    TOO_EARLY, /* a copy to what others still read */
    MISALIGNED_COPY,
    TO_NOWHERE, /* not to shared memory */
    NEVER_AWAITED
};

template <copy_fault F> __global__ void copies(float *o)
{
    VT_SHARED(float, s, [2][THREADS]);
    int i = (int)threadIdx.x;
    vt_copy_async(F == TO_NOWHERE ? o + 4 * i : &s[0][4 * i], o + 4 * i + (F == MISALIGNED_COPY));
    vt_copies_close();
    vt_copy_async(&s[1][4 * i], o + 4 * i, 8);
    vt_copies_close();
    if (F != NO_WAIT)
        vt_copies_wait<F == ONE_FEWER ? 2 : 1>();
    if (F != NO_BARRIER)
        __syncthreads();
    float first = s[0][THREADS - 1 - i];
    if (F != TOO_EARLY)
        __syncthreads();
    vt_copy_async(&s[0][4 * i], o + 4 * i, 0);
    vt_copies_close();
    if (F != NEVER_AWAITED)
        vt_copies_wait<0>();
    __syncthreads();
    o[i] = first + s[0][THREADS - 1 - i] + s[1][THREADS - 1 - i];
}

#define COPY_BUG(name, fault)                                                                      \
    static int run_copies_##name()                                                                 \
    {                                                                                              \
        return run(copies<fault>, 1, 32);                                                          \
    }
COPY_BUG(right, NO_FAULT)
COPY_BUG(no_wait, NO_WAIT)
COPY_BUG(one_fewer, ONE_FEWER)
COPY_BUG(no_barrier, NO_BARRIER)
COPY_BUG(too_early, TOO_EARLY)
COPY_BUG(misaligned, MISALIGNED_COPY)
COPY_BUG(to_nowhere, TO_NOWHERE)
COPY_BUG(never_awaited, NEVER_AWAITED)

const planted copies_bugs[] = {
    {"copies_no_wait", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_copies_no_wait},
    {"copies_no_wait", "both", "VT_SIM_STREAMS=random", "wrong value", run_copies_no_wait},
    {"copies_one_fewer", "both", "VT_SIM_STREAMS=lazy", "wrong value", run_copies_one_fewer},
    {"copies_one_fewer", "both", "VT_SIM_STREAMS=random", "wrong value", run_copies_one_fewer},
    {"copies_no_barrier", "tsan", "", "data race", run_copies_no_barrier},
    {"copies_no_barrier", "tsan", "VT_SIM_STREAMS=lazy", "data race", run_copies_no_barrier},
    {"copies_too_early", "tsan", "", "data race", run_copies_too_early},
    {"copies_too_early", "tsan", "VT_SIM_STREAMS=lazy", "data race", run_copies_too_early},
    {"copies_misaligned", "both", "", "not at a multiple of 16 bytes", run_copies_misaligned},
    {"copies_to_nowhere", "both", "", "does not go to shared memory", run_copies_to_nowhere},
    {"copies_never_awaited", "both", "VT_SIM_STREAMS=lazy", "before 2 of its copies",
     run_copies_never_awaited},
    /* right */
    {"copies_right", "both", "VT_SIM_ORDER=reverse", "", run_copies_right},
    {"copies_right", "both", "VT_SIM_STREAMS=lazy VT_SIM_STRICT=1", "", run_copies_right},
    {"copies_right", "both", "VT_SIM_STREAMS=random VT_SIM_ORDER=random", "", run_copies_right},
    {},
};
