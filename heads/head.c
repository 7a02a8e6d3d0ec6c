/* The registry of read-write heads. */
#include "heads/head.h"

#define HEAD(name) extern const struct head head_##name;
#include "heads/heads.def"
#undef HEAD

static const struct head *const heads[] = {
#define HEAD(name) &head_##name,
#include "heads/heads.def"
#undef HEAD
};

const struct head *head_at(int i)
{
    return i >= 0 && i < (int)(sizeof heads / sizeof *heads) ? heads[i] : NULL;
}

const struct config_choice *head_choice(int i)
{
    return head_at(i) ? &head_at(i)->choice : NULL;
}

const struct config_key head_latent_keys[] = {
    {.name = "model.latent_dim",
     .type = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 65536,
     .doc = "width c of queries and keys in the head; the papers' c = d/4 is dim / 4"},
    {0},
};
