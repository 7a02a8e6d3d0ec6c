/* Products by the own kernel (kernels/gemm.h), which has every kind of them. */
#ifndef BACKEND_CUDA_OWN_PRODUCT_H
#define BACKEND_CUDA_OWN_PRODUCT_H

#include "backend/cuda/products.h"

/* 1 where VITTM_CUDA_PRODUCTS says that every product is the own kernel's, 0 where that is to be
 * chosen, -1 and a message where it says something else. */
int own_product_decided(struct error *err);

/* Whether the kernel counts as many rows, columns and tiles. */
int own_product_fits(const struct vt_product *p);

/* 0, or an error code of the CUDA runtime. */
int own_product_execute(const struct vt_product *p, const struct vt_operands *o,
                        cudaStream_t stream);

#endif
