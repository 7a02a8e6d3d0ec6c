/* Backends in shared libraries, loaded only when they are asked for.
 *
 * A plugin exports one function, PLUGIN_ENTRY. It is linked with its own copy of base/ and tensor/
 * and shares structs with the program, so both must come from the same headers: `abi` is a hash of
 * them (tools/abi), and another one is refused. */
#ifndef BACKEND_PLUGIN_H
#define BACKEND_PLUGIN_H

#include "backend/backend.h"
#include "plugin_abi.h"

#define PLUGIN_ENTRY "vt_backend_entry"

/* What the entry returns. magic and abi stay where they are in all versions. */
struct plugin_export {
    char magic[8]; /* PLUGIN_MAGIC */
    char abi[24];  /* of the headers it was compiled with */
    const struct backend *backend;
};

#define PLUGIN_MAGIC "vittm"

/* Where a backend of the registry comes from. */
struct plugin {
    const char *file;   /* backend-cuda.so: looked for in $VITTM_BACKEND_DIR, beside the program, in
                         * ../lib/vittm beside it, then wherever the system finds libraries */
    const char *driver; /* a library that must be there first (libcuda.so.1), or NULL */
    const char *device; /* "CUDA device", for messages */
    const char *remedy; /* how to get the plugin: "make with nvcc installed" */
};

/* Loads the library once and checks it; NULL and one line (EXIT_ENVIRONMENT) where it cannot. */
const struct backend *plugin_load(const struct plugin *p, struct error *err);

/* The one exported symbol of a plugin; `row` is its struct backend. */
#define BACKEND_PLUGIN(row)                                                                        \
    __attribute__((visibility("default"))) const struct plugin_export *vt_backend_entry(void);     \
    const struct plugin_export *vt_backend_entry(void)                                             \
    {                                                                                              \
        static const struct plugin_export entry = {PLUGIN_MAGIC, PLUGIN_ABI, &(row)};              \
        return &entry;                                                                             \
    }

#endif
