/* Building, asking, compiling, executing. */
#include "backend/cuda/cudnn_graph.h"

#include <stdio.h>
#include <string.h>

enum { OFFERS = 16, ALIGNMENT = 16, TEXT = 300 };

/* ---- descriptors ----------------------------------------------------------------------------- */

static int failed(const struct dnn_graph *g)
{
    return g->error.code != 0;
}

static void check(struct dnn_graph *g, cudnnStatus_t status, const char *what)
{
    char text[TEXT] = "";
    if (status == CUDNN_STATUS_SUCCESS || failed(g))
        return;
    g->lib->cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    error_env(&g->error, "cuDNN: %s: %s (%s)", what, g->lib->cudnnGetErrorString(status), text);
}

static cudnnBackendDescriptor_t create(struct dnn_graph *g, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    if (g->n_all == DNN_DESCRIPTORS)
        BUG("a graph of more than %d descriptors", DNN_DESCRIPTORS);
    if (failed(g))
        return NULL;
    check(g, g->lib->cudnnBackendCreateDescriptor(type, &d), "a descriptor");
    g->all[g->n_all++] = d;
    return d;
}

static void set(struct dnn_graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    char what[40];
    if (failed(g))
        return;
    snprintf(what, sizeof what, "attribute %d", (int)name);
    check(g, g->lib->cudnnBackendSetAttribute(d, name, type, count, values), what);
}

static void set_desc(struct dnn_graph *g, cudnnBackendDescriptor_t d,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
    set(g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finish(struct dnn_graph *g, cudnnBackendDescriptor_t d, const char *what)
{
    if (!failed(g))
        check(g, g->lib->cudnnBackendFinalize(d), what);
}

static void finish_op(struct dnn_graph *g, cudnnBackendDescriptor_t op, const char *what)
{
    finish(g, op, what);
    if (g->n_ops == DNN_OPS)
        BUG("a graph of more than %d operations", DNN_OPS);
    g->ops[g->n_ops++] = op;
}

void dnn_graph_release(struct dnn_graph *g)
{
    for (int i = 0; i < g->n_all; i++)
        if (g->all[i])
            g->lib->cudnnBackendDestroyDescriptor(g->all[i]);
    g->n_all = 0;
}

/* ---- tensors and operations ------------------------------------------------------------------ */

static const cudnnDataType_t compute_type = CUDNN_DATA_FLOAT;

struct dnn_tensor dnn_tensor(struct dnn_graph *g, cudnnDataType_t type, enum dnn_place place,
                             struct dnn_shape shape)
{
    struct dnn_tensor t = {create(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR), ++g->last_uid};
    int64_t alignment = ALIGNMENT;
    bool yes = true;
    set(g, t.desc, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(g, t.desc, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, shape.dim);
    set(g, t.desc, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, shape.stride);
    set(g, t.desc, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &t.uid);
    set(g, t.desc, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    if (place == DNN_VIRTUAL)
        set(g, t.desc, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    if (place == DNN_VALUE)
        set(g, t.desc, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &yes);
    finish(g, t.desc, "a tensor");
    return t;
}

void dnn_pointwise(struct dnn_graph *g, cudnnPointwiseMode_t mode, struct dnn_tensor x,
                   struct dnn_tensor b, struct dnn_tensor y)
{
    cudnnBackendDescriptor_t how = create(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(g, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(g, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute_type);
    finish(g, how, "a pointwise function");
    cudnnBackendDescriptor_t op = create(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x.desc);
    if (b.desc)
        set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b.desc);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y.desc);
    finish_op(g, op, "a pointwise operation");
}

void dnn_reduce(struct dnn_graph *g, cudnnReduceTensorOp_t mode, struct dnn_tensor x,
                struct dnn_tensor y)
{
    cudnnBackendDescriptor_t how = create(g, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    set(g, how, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &mode);
    set(g, how, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute_type);
    finish(g, how, "a reduction");
    cudnnBackendDescriptor_t op = create(g, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    set_desc(g, op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x.desc);
    set_desc(g, op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y.desc);
    finish_op(g, op, "a reduction operation");
}

void dnn_matmul(struct dnn_graph *g, struct dnn_tensor a, struct dnn_tensor b, struct dnn_tensor c)
{
    cudnnBackendDescriptor_t how = create(g, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    set(g, how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute_type);
    finish(g, how, "a product");
    cudnnBackendDescriptor_t op = create(g, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    set_desc(g, op, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a.desc);
    set_desc(g, op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b.desc);
    set_desc(g, op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c.desc);
    finish_op(g, op, "a product operation");
}

void dnn_reshape(struct dnn_graph *g, struct dnn_tensor x, struct dnn_tensor y)
{
    cudnnBackendDescriptor_t op = create(g, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    set_desc(g, op, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x.desc);
    set_desc(g, op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y.desc);
    finish_op(g, op, "a reshape");
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The operations as one graph, for a handle's device or for none. */
static cudnnBackendDescriptor_t operation_graph(struct dnn_graph *g, cudnnHandle_t handle)
{
    cudnnBackendDescriptor_t d = create(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (handle)
        set(g, d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    set(g, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->n_ops, g->ops);
    finish(g, d, "the graph");
    return d;
}

/* What cuDNN proposes, best first; how many. */
static int64_t offers(struct dnn_graph *g, cudnnBackendDescriptor_t graph,
                      cudnnBackendDescriptor_t device, cudnnBackendDescriptor_t list[OFFERS])
{
    cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    cudnnBackendDescriptor_t d = create(g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    int64_t n = 0;
    set_desc(g, d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(g, d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (device)
        set_desc(g, d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
    finish(g, d, "the list of engines");
    for (int i = 0; i < OFFERS; i++)
        list[i] = create(g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (!failed(g))
        check(g,
              g->lib->cudnnBackendGetAttribute(d, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                               CUDNN_TYPE_BACKEND_DESCRIPTOR, OFFERS, &n, list),
              "the list of engines");
    return failed(g) ? 0 : n;
}

int dnn_graph_offers(struct dnn_graph *g, const char *device_json, struct error *err)
{
    cudnnBackendDescriptor_t list[OFFERS], graph = operation_graph(g, NULL);
    cudnnBackendDescriptor_t device = create(g, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    set(g, device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        (int64_t)strlen(device_json), device_json);
    finish(g, device, "the description of a device");
    int64_t n = offers(g, graph, device, list);
    if (failed(g))
        *err = g->error;
    else if (n == 0)
        error_env(err, "cuDNN has no engine for this graph");
    return (int)n;
}

/* ---- compiling and executing ----------------------------------------------------------------- */

/* 0 where the offer compiles; the descriptor is the caller's then. */
static int compile(struct dnn_plan *p, cudnnBackendDescriptor_t offer, cudnnHandle_t handle)
{
    cudnnBackendDescriptor_t d;
    int64_t n = 0;
    if (p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &d))
        return -1;
    if (p->lib->cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                         &handle) ||
        p->lib->cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &offer) ||
        p->lib->cudnnBackendFinalize(d) ||
        p->lib->cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                         CUDNN_TYPE_INT64, 1, &n, &p->workspace_bytes)) {
        p->lib->cudnnBackendDestroyDescriptor(d);
        return -1;
    }
    p->plan = d;
    return 0;
}

int dnn_plan_build(struct dnn_plan *p, struct dnn_graph *g, cudnnHandle_t handle, struct error *err)
{
    cudnnBackendDescriptor_t list[OFFERS];
    int64_t n = offers(g, operation_graph(g, handle), NULL, list);
    *p = (struct dnn_plan){.lib = g->lib};
    if (failed(g)) {
        *err = g->error;
        return -1;
    }
    for (int64_t i = 0; i < n; i++)
        if (!compile(p, list[i], handle))
            return 0;
    return error_env(err, "cuDNN: none of %lld engines compiles for this graph", (long long)n);
}

void dnn_plan_release(struct dnn_plan *p)
{
    if (p->plan)
        p->lib->cudnnBackendDestroyDescriptor(p->plan);
    p->plan = NULL;
}

int dnn_plan_execute(const struct dnn_plan *p, cudnnHandle_t handle, int n, const int64_t *uids,
                     void *const *addresses, void *workspace)
{
    cudnnBackendDescriptor_t pack;
    cudnnStatus_t s =
        p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (s)
        return (int)s;
    s = p->lib->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64,
                                         n, uids);
    if (!s)
        s = p->lib->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                             CUDNN_TYPE_VOID_PTR, n, addresses);
    if (!s)
        s = p->lib->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                             CUDNN_TYPE_VOID_PTR, 1, &workspace);
    if (!s)
        s = p->lib->cudnnBackendFinalize(pack);
    if (!s)
        s = p->lib->cudnnBackendExecute(handle, p->plan, pack);
    p->lib->cudnnBackendDestroyDescriptor(pack);
    return (int)s;
}
