/* Everything that can be plugged in, for `vittm list`. */
#ifndef CLI_REGISTRIES_H
#define CLI_REGISTRIES_H

struct config_choice;

/* A registry whose members are choices of a configuration key. */
struct registry {
    const char *name; /* "heads" */
    const char *key;  /* "model.rw_head"; NULL: no key chooses among them */
    const struct config_choice *(*choice)(int i);
};

/* Registry i, NULL past the last; by name or NULL. */
const struct registry *registry_at(int i);
const struct registry *registry_find(const char *name);

#endif
