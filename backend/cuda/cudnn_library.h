/* cuDNN, found when it is first needed: a machine may have cuBLAS and a driver without it, and half
 * a gigabyte need not be read where no attention is computed in bf16. */
#ifndef BACKEND_CUDA_CUDNN_LIBRARY_H
#define BACKEND_CUDA_CUDNN_LIBRARY_H

#include "base/error.h"

#include <stdbool.h>

#include <cudnn.h>

/* One line a function that is called. */
#define DNN_FUNCTIONS(F)                                                                           \
    F(cudnnGetVersion)                                                                             \
    F(cudnnGetErrorString)                                                                         \
    F(cudnnGetLastErrorString)                                                                     \
    F(cudnnCreate)                                                                                 \
    F(cudnnDestroy)                                                                                \
    F(cudnnSetStream)                                                                              \
    F(cudnnBackendCreateDescriptor)                                                                \
    F(cudnnBackendDestroyDescriptor)                                                               \
    F(cudnnBackendSetAttribute)                                                                    \
    F(cudnnBackendGetAttribute)                                                                    \
    F(cudnnBackendFinalize)                                                                        \
    F(cudnnBackendExecute)

/* Members have the names of the functions. */
struct dnn_library {
#define DNN_MEMBER(name) __typeof__(name) *name;
    DNN_FUNCTIONS(DNN_MEMBER)
#undef DNN_MEMBER
};

/* -1 and one line why where there is none of the version that this was compiled for. It is never
 * closed. */
int dnn_library_open(struct dnn_library *lib, struct error *err);

#endif
