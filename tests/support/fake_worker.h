/* A worker that follows the contract of a run's folder (DESIGN.md) without training anything: for
 * tests of the scheduler. Its behaviour is in run.yaml:
 *
 *   epochs: N        that many
 *   epoch_ms: N      each takes so long
 *   seed: N          its result depends on this and the number of epochs alone
 *   mode: ok         finishes
 *         fail       exits 1 with a message in the second epoch
 *         fail_once  the same, in the first attempt only
 *         refuse     exits 3 at once
 *         crash      SIGSEGV in the second epoch
 *         hang       stops making progress in the second epoch, ends on SIGTERM
 *         deaf       makes progress for ever, ignores SIGTERM and the death of its runner
 *         silent     exits 0 without a result
 *         bad_once   writes a result.json that is cut short, in the first attempt only
 *
 * It notes each start in starts.log, and the file CLASH if another worker is at work in the same
 * folder; the GPU that it sees, if it is told which, in gpu.log. */
#ifndef TESTS_SUPPORT_FAKE_WORKER_H
#define TESTS_SUPPORT_FAKE_WORKER_H

/* The exit code. */
int fake_worker(const char *folder);

/* What val/top1 such a worker must end with. */
double fake_worker_top1(long seed, int epochs);

#endif
