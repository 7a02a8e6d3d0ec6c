/* When the runs will be finished: seconds per unit of work, measured on those that are. */
#ifndef RUNNER_ESTIMATE_H
#define RUNNER_ESTIMATE_H

/* Work is MACs x images x epochs, in any one unit. Zero-initialise. */
struct estimate {
    double work, seconds;       /* of finished runs */
    double guess_work, guess_s; /* of running ones, by their own forecast */
};

/* A finished run that was not interrupted. */
void estimate_add(struct estimate *e, double work, double wall_s);
/* A running one: used only as long as none is finished. Call estimate_forget first each time round.
 */
void estimate_guess(struct estimate *e, double work, double elapsed_s, double left_s);
void estimate_forget(struct estimate *e);

/* Seconds for a run with that work, NaN where nothing is known. */
double estimate_run(const struct estimate *e, double work);

/* Seconds for all of them together, `jobs` at a time: waiting_s in sum, of the running ones the
 * longest and the sum. NaN in, NaN out. */
double estimate_total(double waiting_s, double running_s, double longest_s, int jobs);

#endif
