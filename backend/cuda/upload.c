/* Double-buffered inputs. */
#include "backend/cuda/upload.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 256 };

static size_t bytes_of(const struct tensor *t)
{
    return tensor_type_size(t->type, sizeof(float)) * (size_t)shape_count(t->shape);
}

static size_t list_inputs(struct upload *u, const struct plan *p)
{
    size_t bytes = 0;
    const struct graph *g = p->graph;
    u->inputs = mem_zalloc((size_t)g->n_tensors, sizeof *u->inputs);
    u->offsets = mem_zalloc((size_t)g->n_tensors, sizeof *u->offsets);
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        if (t->kind != TENSOR_INPUT || p->places[t->id].block == PLAN_NONE || p->places[t->id].half)
            continue;
        u->inputs[u->n_inputs] = t;
        u->offsets[u->n_inputs++] = bytes;
        bytes += (bytes_of(t) + ALIGN - 1) / ALIGN * ALIGN;
    }
    return bytes;
}

static int slot_open(struct upload_slot *s, size_t bytes, int n_inputs)
{
    int code = 0;
    s->filled = mem_zalloc((size_t)n_inputs, 1);
    if (bytes && (code = (int)cudaMallocHost((void **)&s->pinned, bytes)))
        return code;
    if (bytes && (code = (int)cudaMalloc((void **)&s->device, bytes)))
        return code;
    if ((code = (int)cudaEventCreateWithFlags(&s->sent, cudaEventDisableTiming)))
        return code;
    return (int)cudaEventCreateWithFlags(&s->placed, cudaEventDisableTiming);
}

int upload_open(struct upload *u, const struct plan *p)
{
    size_t bytes = list_inputs(u, p);
    int code = (int)cudaStreamCreateWithFlags(&u->stream, cudaStreamNonBlocking);
    for (int i = 0; i < UPLOAD_SLOTS && !code; i++)
        code = slot_open(&u->slots[i], bytes, u->n_inputs);
    return code;
}

void upload_close(struct upload *u)
{
    if (u->stream)
        cudaStreamSynchronize(u->stream);
    for (int i = 0; i < UPLOAD_SLOTS; i++) {
        struct upload_slot *s = &u->slots[i];
        if (s->pinned)
            cudaFreeHost(s->pinned);
        if (s->device)
            cudaFree(s->device);
        if (s->sent)
            cudaEventDestroy(s->sent);
        if (s->placed)
            cudaEventDestroy(s->placed);
        free(s->filled);
    }
    if (u->stream)
        cudaStreamDestroy(u->stream);
    free(u->inputs);
    free(u->offsets);
}

int upload_find(const struct upload *u, const struct tensor *t)
{
    for (int i = 0; i < u->n_inputs; i++)
        if (u->inputs[i] == t)
            return i;
    return -1;
}

/* Waits until the slot's memory may be written: its last batch is in place; and where this input
 * was written already, the copy of that value has left pinned memory. */
static int make_free(struct upload *u, struct upload_slot *s, int i)
{
    if (!s->pending)
        return (int)cudaEventSynchronize(s->placed);
    return s->filled[i] ? (int)cudaStreamSynchronize(u->stream) : 0;
}

int upload_write(struct upload *u, int i, const void *host)
{
    struct upload_slot *s = &u->slots[u->current];
    size_t bytes = bytes_of(u->inputs[i]), offset = u->offsets[i];
    int code = make_free(u, s, i);
    if (code || !bytes)
        return code;
    memcpy(s->pinned + offset, host, bytes);
    s->filled[i] = 1;
    s->pending = 1;
    return (int)cudaMemcpyAsync(s->device + offset, s->pinned + offset, bytes,
                                cudaMemcpyHostToDevice, u->stream);
}

int upload_place(struct upload *u, cudaStream_t stream,
                 void *(*address_of)(const void *ctx, const struct tensor *t), const void *ctx)
{
    struct upload_slot *s = &u->slots[u->current];
    int code;
    if (!s->pending)
        return 0;
    if ((code = (int)cudaEventRecord(s->sent, u->stream)) ||
        (code = (int)cudaStreamWaitEvent(stream, s->sent, 0)))
        return code;
    for (int i = 0; i < u->n_inputs; i++) {
        if (!s->filled[i])
            continue;
        s->filled[i] = 0;
        code = (int)cudaMemcpyAsync(address_of(ctx, u->inputs[i]), s->device + u->offsets[i],
                                    bytes_of(u->inputs[i]), cudaMemcpyDeviceToDevice, stream);
        if (code)
            return code;
    }
    s->pending = 0;
    u->current = (u->current + 1) % UPLOAD_SLOTS;
    return (int)cudaEventRecord(s->placed, stream);
}
