/* Token-reduction consistency (MCTF section 3.4; the authors' training code). A second pass through
 * the same weights from the same embedded tokens fuses fewer of them and teaches the first:
 *
 *   loss = w0 CE(student) + w1 CE(teacher) + w2 sum_i gate_i d_i / sum_i gate_i
 *
 * d_i is the mean square difference of the final features, the teacher's taken for constants;
 * gate_i is 1 where the student gives the true class (with mixed targets: all of them) more than a
 * confidence, and the term is absent where no gate is open.
 *
 * The authors draw the teacher's r anew for each step, uniformly from 0 to r_teacher - 1. Shapes
 * are static here, so a run has one teacher r: an axis of the experiment, not a draw. */
#ifndef MODEL_CONSISTENCY_H
#define MODEL_CONSISTENCY_H

#include "model/model.h"
#include "nn/nn.h"

#define CONSISTENCY_KEYS                                                                           \
    {.name = "model.reduce.consistency",                                                           \
     .type = CONFIG_BOOL,                                                                          \
     .fallback = "false",                                                                          \
     .doc = "train with a second pass that fuses fewer tokens and teaches the first"},             \
        {.name = "model.reduce.teacher_r",                                                         \
         .type = CONFIG_FLOAT,                                                                     \
         .fallback = "4",                                                                          \
         .min = 0,                                                                                 \
         .max = 1e6,                                                                               \
         .doc = "r of the second pass (the authors draw 0 to 7 for each step: static shapes do "   \
                "not, so compare values)"},                                                        \
        {.name = "model.reduce.task_weight",                                                       \
         .type = CONFIG_FLOATS,                                                                    \
         .fallback = "1, 1, 3",                                                                    \
         .min = 0,                                                                                 \
         .max = 1e6,                                                                               \
         .doc = "weights of the student's, the teacher's and the consistency loss"},               \
    {                                                                                              \
        .name = "model.reduce.confidence_threshold", .type = CONFIG_FLOAT, .fallback = "0.4",      \
        .min = 0, .max = 1,                                                                        \
        .doc = "the student must give the true class more than this to be taught by the second "   \
               "pass"                                                                              \
    }

/* Whether the configuration asks for a second pass, and whether this graph has one: it trains. */
int consistency_asked(const struct builder *b);
int consistency_wanted(const struct builder *b);

/* The two passes of a model: features (B,C) behind the final norm, and the teacher's logits (B,K).
 */
struct consistency {
    struct tensor *student, *teacher, *teacher_logits;
};

/* Adds the terms above, "student", "teacher" and "consistency", from io->target and io->logits[0]
 * to io's loss. Names "output/logits_teacher" and "output/confidence" as results. */
void consistency_loss(struct builder *b, const struct model_options *o, struct model_io *io);

#endif
