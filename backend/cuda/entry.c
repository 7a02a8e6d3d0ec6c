/* The one symbol that backend-cuda.so and backend-sim.so export. */
#include "backend/plugin.h"

extern const struct backend backend_cuda_device;

BACKEND_PLUGIN(backend_cuda_device)
