/* Attention of bugs.cu: attention_mma.h on one small case, forward and backward, against plain
 * loops in double. Included inside a namespace for each way in which that header is compiled. */
#undef BACKEND_CUDA_KERNELS_ATTENTION_MMA_H
#include "backend/cuda/kernels/attention_mma.h"

/* out, lse, dq, dk, dv of attention_case in one array. */
template <class E, bool rounds> static int trial(double tolerance)
{
    const attention_case &c = the_case();
    vt_attention_size a = {1,           QUERIES,     KEYS,         HEADS,        DIM,  WIDE,
                           HEADS * DIM, HEADS * DIM, HEADS * WIDE, HEADS * WIDE, SCALE};
    double truth[RESULTS];
    float got[RESULTS];
    attention_loops(c, rounds, truth);
    float *to = device_floats(RESULTS), *given = device_floats(2 * HEADS * QUERIES);
    call<E> x = {};
    E *operands[4];
    for (int i = 0; i < 4; i++) {
        void *p = NULL;
        E values[OPERAND];
        for (int k = 0; k < c.counts[i]; k++)
            values[k] = E(c.operands[i][k]);
        cudaMalloc(&p, sizeof(E) * (size_t)c.counts[i]);
        cudaMemcpy(p, values, sizeof(E) * (size_t)c.counts[i], cudaMemcpyHostToDevice);
        operands[i] = static_cast<E *>(p);
    }
    float sums[2 * HEADS * QUERIES]; /* lse and delta, by the loops */
    for (int i = 0; i < HEADS * QUERIES; i++) {
        sums[i] = (float)truth[LSE + i];
        sums[HEADS * QUERIES + i] = (float)c.delta[i];
    }
    cudaMemcpy(given, sums, sizeof sums, cudaMemcpyHostToDevice);
    x.q = operands[0];
    x.k = operands[1];
    x.v = operands[2];
    x.dout = operands[3];
    x.out = to + OUT;
    x.lse = to + LSE;
    x.dq = to + DQ;
    x.dk = to + DK;
    x.dv = to + DV;
    x.given_lse = given;
    x.delta = given + HEADS * QUERIES;
    x.a = a;
    x.stream = stream_new();
    x.wide = rows_are_wide(x);
    int code = forward<E, 32, 32, 16, 1>(x);
    code = code ? code : gradients<E, 32, 32, 16, 1>(x);
    cudaStreamSynchronize(x.stream);
    cudaMemcpy(got, to, sizeof got, cudaMemcpyDeviceToHost);
    cudaFree(to);
    cudaFree(given);
    for (int i = 0; i < 4; i++)
        cudaFree(operands[i]);
    cudaStreamDestroy(x.stream);
    return code == cudaSuccess && close_enough(got, truth, tolerance) ? FINE : NOTICED;
}
