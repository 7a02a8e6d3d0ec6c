/* The functions of backend/cuda/kernels/copy.h on the emulated device. */
#ifndef BACKEND_SIM_COPY_H
#define BACKEND_SIM_COPY_H

#include "backend/sim/copies.h"
#include "backend/sim/language.h"

/* Stored by an assignment, which the sanitizers see; a memset of a known size they may not. */
static inline void sim_copy_now(const sim_copy &c)
{
    uint4 value = make_uint4(0, 0, 0, 0);
    memcpy(&value, c.from, static_cast<size_t>(c.bytes));
    *static_cast<uint4 *>(c.to) = value;
}

static inline void vt_copy_async(void *to, const void *from, int bytes = SIM_COPY_BYTES, SIM_PLACE)
{
    sim_copy c = {to, from, bytes, 0};
    if (sim_copy_order(&c, file, line))
        sim_copy_now(c);
    else
        *static_cast<uint4 *>(to) = make_uint4(~0u, ~0u, ~0u, ~0u);
}

static inline void vt_copies_close()
{
    sim_copies_close();
}

template <int N> static inline void vt_copies_wait()
{
    sim_copy c;
    while (sim_copy_due(N, &c))
        sim_copy_now(c);
}

#endif
