/* What happens to the colours and shapes of a training image: the configuration's choice. */
#include "data/augment_policy.h"

#include "data/augment.h"

static const struct config_choice *flavour_choice(int i)
{
    const struct augment_flavour *f = augment_flavour_at(i);
    return f ? &f->choice : NULL;
}

static const struct config_key rand_keys[] = {
    {"data.augment.rand.ops", CONFIG_INT, "2", 1, 16, NULL, 0, "operations an image, drawn anew"},
    {"data.augment.rand.magnitude", CONFIG_INT, "15", 0, AUGMENT_BINS - 1, NULL, 0,
     "their strength, 0 to 30"},
    {"data.augment.rand.flavour", CONFIG_CHOICE, "tensor-float", 0, 0, flavour_choice, 0,
     "whose arithmetic"},
    {0}};

static void apply_rand(const struct augment_settings *s, struct augment_image *im, struct rng *r)
{
    augment_rand(im, s->flavour, s->ops, s->magnitude, r);
}

static void apply_three(const struct augment_settings *s, struct augment_image *im, struct rng *r)
{
    (void)s;
    augment_three(im, r);
}

static void init_none(struct augment_settings *s, const struct config *c)
{
    (void)s;
    (void)c;
}

static void init_rand(struct augment_settings *s, const struct config *c)
{
    s->ops = (int)config_int(c, "data.augment.rand.ops");
    s->magnitude = (int)config_int(c, "data.augment.rand.magnitude");
    s->flavour = (const struct augment_flavour *)config_choice(c, "data.augment.rand.flavour");
}

static const struct augment_policy {
    struct config_choice choice;
    void (*init)(struct augment_settings *s, const struct config *c);
    void (*apply)(const struct augment_settings *s, struct augment_image *im, struct rng *r);
    int moves;
} policies[] = {
    {{"none", "crop and mirror alone", NULL}, init_none, NULL, 0},
    {{"rand", "RandAugment: operations at random, all of one magnitude (Cubuk et al., 2020)",
      rand_keys},
     init_rand,
     apply_rand,
     1},
    {{"three", "3-augment: blur, solarize or gray, then colour jitter (Touvron et al., 2022)",
      NULL},
     init_none,
     apply_three,
     0},
};

const struct config_choice *augment_policy_choice(int i)
{
    return i >= 0 && i < (int)(sizeof policies / sizeof *policies) ? &policies[i].choice : NULL;
}

void augment_settings_init(struct augment_settings *s, const struct config *c)
{
    *s = (struct augment_settings){
        .policy = (const struct augment_policy *)config_choice(c, "data.augment.policy")};
    s->policy->init(s, c);
}

int augment_is_on(const struct augment_settings *s)
{
    return s->policy && s->policy->apply;
}

int augment_moves(const struct augment_settings *s)
{
    return s->policy && s->policy->moves;
}

int augment_on_bytes(const struct augment_settings *s)
{
    return s->flavour && s->flavour->is_bytes;
}

void augment_apply(const struct augment_settings *s, struct augment_image *im, struct rng *r)
{
    s->policy->apply(s, im, r);
}

void augment_apply_bytes(const struct augment_settings *s, struct augment_bytes *im, struct rng *r)
{
    augment_rand_bytes(im, s->flavour, s->ops, s->magnitude, r);
}
