/* Asks cuDNN, on a machine that needs no GPU, whether it has an engine for every graph that the
 * cuda backend builds, on the device that a JSON file describes. One line a graph; exit code 1 if
 * one has no engine, 3 if cuDNN cannot be asked. */
#include "backend/cuda/cudnn_sdpa.h"
#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 16 };

typedef void build(struct dnn_graph *g, struct sdpa_uids *u, const struct vt_attention_size *a);

static int asked(const char *device, build *graph, const struct vt_attention_size *a,
                 struct error *err)
{
    struct dnn_library lib;
    struct dnn_graph g = {.lib = &lib};
    if (dnn_library_open(&lib, err))
        return 0;
    struct sdpa_uids u;
    graph(&g, &u, a);
    int n = dnn_graph_offers(&g, device, err);
    dnn_graph_release(&g);
    return n;
}

/* Operands packed in one tensor, or in three. */
static struct vt_attention_size size(int64_t queries, int64_t keys, int64_t heads, int64_t dim,
                                     int packed)
{
    int64_t width = heads * dim, ld = packed ? 3 * width : width;
    return (struct vt_attention_size){.batch = 8,
                                      .queries = queries,
                                      .keys = keys,
                                      .heads = heads,
                                      .dim = dim,
                                      .value_dim = dim,
                                      .ldq = ld,
                                      .ldk = ld,
                                      .ldv = ld,
                                      .ldo = width,
                                      .scale = 0.125f};
}

/* Both passes; how many answers are not as expected. */
static int ask(const char *device, const struct vt_attention_size *a, int expected)
{
    static const struct {
        const char *name;
        build *graph;
    } passes[] = {{"forward", sdpa_forward_graph}, {"backward", sdpa_backward_graph}};
    int wrong = 0;
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        int taken = asked(device, passes[i].graph, a, &err) > 0;
        printf("%s attention %s, %lld queries, %lld keys, %lld heads of %lld, %s%s\n",
               taken == expected ? "ok" : "not ok", passes[i].name, (long long)a->queries,
               (long long)a->keys, (long long)a->heads, (long long)a->dim,
               taken ? "supported" : "refused: ", taken ? "" : err.msg);
        wrong += taken != expected;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    static const struct {
        int64_t queries, keys, heads, dim;
    } shapes[] = {{197, 197, 12, 64}, {196, 196, 6, 64},  {49, 49, 3, 64},
                  {64, 64, 12, 64},   {65, 65, 3, 32},    {64, 196, 6, 64},
                  {196, 64, 6, 64},   {197, 197, 3, 128}, {50, 50, 4, 16}};
    struct error err = {0};
    char *device;
    size_t n;
    int wrong = 0;
    if (argc != 2 || file_read(argv[1], LARGEST, &device, &n, &err)) {
        fprintf(stderr, "ask_cudnn DEVICE.json: %s\n", argc == 2 ? err.msg : "one argument");
        return EXIT_ENVIRONMENT;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int packed = 0; packed <= (shapes[i].queries == shapes[i].keys); packed++) {
            struct vt_attention_size a =
                size(shapes[i].queries, shapes[i].keys, shapes[i].heads, shapes[i].dim, packed);
            wrong += ask(device, &a, 1);
        }
    struct vt_attention_size odd = size(65, 65, 3, 12, 1);
    wrong += ask(device, &odd, 0);
    free(device);
    return wrong ? EXIT_FAILED : EXIT_FINE;
}
