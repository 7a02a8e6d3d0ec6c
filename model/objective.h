/* What a model is trained for: the part of the graph between a family and the loss.
 *
 * To add one: model/NAME.c with a struct objective objective_NAME, and a line in objectives.def. */
#ifndef MODEL_OBJECTIVE_H
#define MODEL_OBJECTIVE_H

#include "model/model.h"

struct objective {
    struct config_choice choice; /* name, doc and the keys that only this objective reads */
    const char *paper;
    int dense;      /* learns and tells the class of every pixel: the data must have masks */
    int unlabelled; /* works without classes: model.classes need not be the data's */
    /* Makes everything behind io->image: results, and the loss where o or the objective asks for
     * it. Refuses through b->g families that it cannot train. */
    void (*build)(struct builder *b, const struct model *m, const struct model_options *o,
                  struct model_io *io);
};

const struct objective *objective_at(int i); /* NULL past the last */
const struct config_choice *objective_choice(int i);

#endif
