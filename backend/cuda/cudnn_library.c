#include "backend/cuda/cudnn_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define TEXT_OF(x) #x
#define FILE_OF(x) "libcudnn.so." TEXT_OF(x)

static const char file[] = FILE_OF(CUDNN_MAJOR);

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define DNN_ROW(name) {#name, offsetof(struct dnn_library, name)},
    DNN_FUNCTIONS(DNN_ROW)
#undef DNN_ROW
};

int dnn_library_open(struct dnn_library *lib, struct error *err)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_env(err, "cuDNN: %s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *symbol = dlsym(library, functions[i].name);
        if (!symbol)
            return error_env(err, "%s has no function %s", file, functions[i].name);
        /* ISO C has no cast from object to function */
        memcpy((char *)lib + functions[i].offset, &symbol, sizeof symbol);
    }
    return 0;
}
