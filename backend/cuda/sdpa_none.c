/* sdpa.h where the plugin is built without cuDNN's header: there is none, and attention is by the
 * own kernel. */
#include "backend/cuda/sdpa.h"

struct vt_sdpa *vt_sdpa_new(void)
{
    return NULL;
}

void vt_sdpa_free(struct vt_sdpa *s)
{
    (void)s;
}

int vt_sdpa_prepare(struct vt_sdpa *s, const struct vt_attention_size *a, enum vt_sdpa_pass pass,
                    size_t *workspace_bytes, struct error *err)
{
    (void)s, (void)a, (void)pass, (void)workspace_bytes;
    return error_env(err, "this program was built without cuDNN");
}

int vt_sdpa_forward(struct vt_sdpa *s, const struct vt_attention_size *a, void *out, float *lse,
                    const void *q, const void *k, const void *v, void *workspace,
                    cudaStream_t stream)
{
    (void)s, (void)a, (void)out, (void)lse, (void)q, (void)k, (void)v, (void)workspace;
    (void)stream;
    return cudaErrorNotSupported;
}

int vt_sdpa_backward(struct vt_sdpa *s, const struct vt_attention_size *a, void *dq, void *dk,
                     void *dv, const void *q, const void *k, const void *v, const void *out,
                     const float *lse, const void *dout, void *workspace, cudaStream_t stream)
{
    (void)s, (void)a, (void)dq, (void)dk, (void)dv, (void)q, (void)k, (void)v, (void)out;
    (void)lse, (void)dout, (void)workspace, (void)stream;
    return cudaErrorNotSupported;
}
