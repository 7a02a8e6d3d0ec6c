/* A list of GPUs as people write it. */
#ifndef RUNNER_GPUS_H
#define RUNNER_GPUS_H

struct arena;
struct error;

/* "0-3", "0,2", "GPU-8f4e…": numbers, ranges and names as CUDA_VISIBLE_DEVICES takes them. Returns
 * how many there are, in the arena, or -1 with err set: nothing between commas, a range that
 * descends, one GPU twice. */
int gpus_parse(const char *text, struct arena *a, const char *const **gpus, struct error *err);

#endif
