/* Graphs of cuDNN operations, built with its backend API from plain C: cuDNN looks for one kernel
 * that computes a whole graph. A graph can be built, and cuDNN asked whether a device would take
 * it, on a machine that has none. */
#ifndef BACKEND_CUDA_CUDNN_GRAPH_H
#define BACKEND_CUDA_CUDNN_GRAPH_H

#include "backend/cuda/cudnn_library.h"

/* A tensor of rank 4. Operands have the address that is bound to their uid. */
struct dnn_tensor {
    cudnnBackendDescriptor_t desc;
    int64_t uid;
};

enum dnn_place {
    DNN_MEMORY,  /* in device memory */
    DNN_VIRTUAL, /* between two operations, never in memory */
    DNN_VALUE    /* one number, read from host memory when the graph is executed */
};

struct dnn_shape {
    int64_t dim[4], stride[4];
};

enum { DNN_OPS = 24, DNN_DESCRIPTORS = 160 };

/* Building never fails half way: the first refusal is kept, and every later call does nothing.
 * Initialise with lib and zeros, use, release. */
struct dnn_graph {
    const struct dnn_library *lib;
    cudnnBackendDescriptor_t ops[DNN_OPS], all[DNN_DESCRIPTORS];
    int n_ops, n_all;
    int64_t last_uid;
    struct error error;
};

struct dnn_tensor dnn_tensor(struct dnn_graph *g, cudnnDataType_t type, enum dnn_place place,
                             struct dnn_shape shape);
/* y = mode(x, b); b.desc NULL for functions of one operand. */
void dnn_pointwise(struct dnn_graph *g, cudnnPointwiseMode_t mode, struct dnn_tensor x,
                   struct dnn_tensor b, struct dnn_tensor y);
/* y: x reduced over the dimensions in which y has 1. */
void dnn_reduce(struct dnn_graph *g, cudnnReduceTensorOp_t mode, struct dnn_tensor x,
                struct dnn_tensor y);
/* c = a b, matrices in the last two dimensions. */
void dnn_matmul(struct dnn_graph *g, struct dnn_tensor a, struct dnn_tensor b, struct dnn_tensor c);
/* The same values seen with other strides. */
void dnn_reshape(struct dnn_graph *g, struct dnn_tensor x, struct dnn_tensor y);
void dnn_graph_release(struct dnn_graph *g);

/* How many ways cuDNN offers to compute the graph on the device that a JSON text describes; 0 and
 * the reason in err where there is none. Needs no device, but some libcuda.so.1 to load. */
int dnn_graph_offers(struct dnn_graph *g, const char *device_json, struct error *err);

/* A graph compiled for the current device. */
struct dnn_plan {
    const struct dnn_library *lib;
    cudnnBackendDescriptor_t plan;
    int64_t workspace_bytes;
};

/* Takes the first offer that compiles. The plan outlives the graph. */
int dnn_plan_build(struct dnn_plan *p, struct dnn_graph *g, cudnnHandle_t handle,
                   struct error *err);
void dnn_plan_release(struct dnn_plan *p);
/* Enqueues the plan in the handle's stream, with addresses for n uids. 0 or an error of cuDNN. */
int dnn_plan_execute(const struct dnn_plan *p, cudnnHandle_t handle, int n, const int64_t *uids,
                     void *const *addresses, void *workspace);

#endif
