#include "backend/cuda/timing.h"

enum { REPEATS = 3, IN_A_ROW = 20 /* executions between two looks at the clock, at most */ };

static const float WORTH_MS = 0.2f; /* what is timed lasts as long, where IN_A_ROW are enough */

struct stopwatch {
    cudaEvent_t from, to;
};

/* The time of one execution of several in a row. */
static float in_a_row(const struct stopwatch *w, timed_work *work, const void *ctx, int count,
                      cudaStream_t stream)
{
    float ms = 0;
    int code = (int)cudaEventRecord(w->from, stream);
    for (int i = 0; i < count && !code; i++)
        code = work(ctx, stream);
    if (code || cudaEventRecord(w->to, stream) || cudaEventSynchronize(w->to) ||
        cudaEventElapsedTime(&ms, w->from, w->to))
        return -1;
    return ms / (float)count;
}

static float shortest(const struct stopwatch *w, timed_work *work, const void *ctx,
                      cudaStream_t stream)
{
    float once = in_a_row(w, work, ctx, 1, stream); /* warms up */
    if (once >= 0)
        once = in_a_row(w, work, ctx, 1, stream);
    int count = once * IN_A_ROW > WORTH_MS ? (int)(WORTH_MS / once) + 1 : IN_A_ROW;
    float best = once;
    for (int i = 0; i < REPEATS && best >= 0; i++) {
        float ms = in_a_row(w, work, ctx, count, stream);
        best = ms < best ? ms : best;
    }
    return best;
}

float timing_of(timed_work *work, const void *ctx, cudaStream_t stream)
{
    struct stopwatch w = {0};
    float ms = -1;
    if (!cudaEventCreate(&w.from) && !cudaEventCreate(&w.to))
        ms = shortest(&w, work, ctx, stream);
    if (w.from)
        cudaEventDestroy(w.from);
    if (w.to)
        cudaEventDestroy(w.to);
    cudaGetLastError();
    return ms;
}
