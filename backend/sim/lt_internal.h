/* Inside backend/sim/lt*.c only: a product as it was described. */
#ifndef BACKEND_SIM_LT_INTERNAL_H
#define BACKEND_SIM_LT_INTERNAL_H

#include <cublasLt.h>
#include <stdint.h>

struct cublasLtMatmulDesc {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    int32_t trans_a, trans_b;
    uint32_t epilogue;
    void *bias; /* read, or written with sums */
};

/* By columns: (rows, cols), a column ld after another. */
struct cublasLtMatrixLayout {
    cudaDataType_t type;
    int32_t batch;
    int64_t rows, cols, ld, stride;
};

/* All facts of a product but its addresses. */
struct problem {
    struct cublasLtMatmulDesc desc;
    struct cublasLtMatrixLayout a, b, c, d;
};

struct product {
    struct problem p;
    float alpha, beta;
    const char *a, *b, *c;
    char *vector, *d; /* the bias or the place of sums; NULL: neither */
};

static inline int64_t lt_rows_of(const struct cublasLtMatrixLayout *l, int trans)
{
    return trans ? l->cols : l->rows;
}

static inline int lt_has_sums(const struct problem *p)
{
    return p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADA ||
           p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADB;
}

static inline size_t lt_size_of(cudaDataType_t type)
{
    return type == CUDA_R_16BF ? sizeof(uint16_t) : sizeof(float);
}

/* A struct product, in single precision by OpenBLAS, operands rounded as tensor cores do. */
void lt_multiply(const void *arguments);

#endif
