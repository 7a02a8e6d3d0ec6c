/* Values of tensors between the host and a loaded program. */
#include "backend/cuda/program_internal.h"

#include "base/memory.h"

#include <stdlib.h>

/* Where the device's values of t are: it must be in the plan. */
static void *place_of(const struct program *p, const struct tensor *t)
{
    void *address = cuda_address(p, t);
    if (!address)
        BUG("tensor %s has no place in the plan", t->name);
    return address;
}

static size_t bytes_of(const struct tensor *t)
{
    return tensor_type_size(t->type, sizeof(float)) * (size_t)shape_count(t->shape);
}

/* Where the plan stores t in bf16, which only tests ask of what the host writes or reads: values of
 * single precision through memory of their own. */
static void move_half(struct program *p, const struct tensor *t, void *host, int to_device)
{
    void *full;
    int64_t n = shape_count(t->shape);
    cuda_check((int)cudaMalloc(&full, bytes_of(t)), t->name);
    if (to_device) {
        cuda_check((int)cudaMemcpyAsync(full, host, bytes_of(t), cudaMemcpyHostToDevice, p->stream),
                   t->name);
        cuda_check(vt_to_bf16(place_of(p, t), full, n, p->stream), t->name);
    } else {
        cuda_check(vt_from_bf16(full, place_of(p, t), n, p->stream), t->name);
        cuda_check((int)cudaMemcpyAsync(host, full, bytes_of(t), cudaMemcpyDeviceToHost, p->stream),
                   t->name);
    }
    cuda_check((int)cudaStreamSynchronize(p->stream), t->name);
    cuda_check((int)cudaFree(full), t->name);
}

/* Inputs go by the double buffer; everything else is rare and waits. */
void cuda_write(struct program *p, const struct tensor *t, const void *host)
{
    int i = upload_find(&p->upload, t);
    if (i >= 0) {
        cuda_check(upload_write(&p->upload, i, host), "an input");
        return;
    }
    p->stale |= t->kind == TENSOR_PARAM || t->kind == TENSOR_FLAT;
    if (p->plan->places[t->id].half) {
        move_half(p, t, (void *)(uintptr_t)host, 1);
        return;
    }
    cuda_check(
        (int)cudaMemcpyAsync(place_of(p, t), host, bytes_of(t), cudaMemcpyHostToDevice, p->stream),
        t->name);
    cuda_check((int)cudaStreamSynchronize(p->stream), t->name);
}

void cuda_read(struct program *p, const struct tensor *t, void *host)
{
    cuda_check(upload_place(&p->upload, p->stream, cuda_address, p), "inputs");
    if (p->plan->places[t->id].half) {
        move_half(p, t, host, 0);
        return;
    }
    cuda_check(
        (int)cudaMemcpyAsync(host, place_of(p, t), bytes_of(t), cudaMemcpyDeviceToHost, p->stream),
        t->name);
    cuda_check((int)cudaStreamSynchronize(p->stream), t->name);
}

void cuda_write_double(struct program *p, const struct tensor *t, const double *host)
{
    int64_t n = shape_count(t->shape);
    char *values = mem_alloc(bytes_of(t));
    for (int64_t i = 0; i < n; i++)
        if (t->type == TENSOR_BYTE)
            ((uint8_t *)(void *)values)[i] = (uint8_t)host[i];
        else if (t->type == TENSOR_INT)
            ((int32_t *)(void *)values)[i] = (int32_t)host[i];
        else
            ((float *)(void *)values)[i] = (float)host[i];
    cuda_write(p, t, values);
    free(values);
}

void cuda_read_double(struct program *p, const struct tensor *t, double *host)
{
    int64_t n = shape_count(t->shape);
    char *values = mem_alloc(bytes_of(t));
    cuda_read(p, t, values);
    for (int64_t i = 0; i < n; i++)
        host[i] = t->type == TENSOR_BYTE  ? (double)((uint8_t *)(void *)values)[i]
                  : t->type == TENSOR_INT ? (double)((int32_t *)(void *)values)[i]
                                          : (double)((float *)(void *)values)[i];
    free(values);
}
