/* A run's events.jsonl as TensorBoard's event file, DIR/LABEL-RUN/events.out.tfevents.vittm.
 *
 * Opening makes the file anew from all events so far and renames it into place; following appends.
 * A resumed worker writes the events after its checkpoint again, with the same numbers: points that
 * a metric has already are left out, so steps only grow, as TensorBoard wants. */
#ifndef RUNNER_TENSORBOARD_H
#define RUNNER_TENSORBOARD_H

struct error;
struct tensorboard;

/* label and run (an id) name the folder in dir; what a file name cannot bear becomes "_". */
int tensorboard_open(struct tensorboard **t, const char *dir, const char *label, const char *run,
                     const char *folder, struct error *err);
int tensorboard_follow(struct tensorboard *t, struct error *err);
void tensorboard_close(struct tensorboard *t); /* may be NULL */

/* Opens and closes: of a run that is finished. */
int tensorboard_write(const char *dir, const char *label, const char *run, const char *folder,
                      struct error *err);

#endif
